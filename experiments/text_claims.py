"""Three claims in the report's text, each tested with a figure.

Report: no numbers.
Ours, test accuracy in %, mean +- sd, n = 3: batches of 16 95.3 +- 0.8,
all images 77.2 +- 1.9, sigmoid 91.6 +- 0.9.
Training time per seed: 3, 2 and 4 s on 2 cores of AMD EPYC.

Command: python -m experiments.text_claims
Quick: python -m experiments.text_claims --quick, 10 steps of a narrow network, to runs/quick.

Needs only the bundled data set mnist_5k. The claims: training is faster and cheaper over fewer
images at a time (the MNIST network with batches of 16, and with the gradient over all 3,600 images,
for the same number of images); ReLU trains faster than the sigmoid (the same network with either);
mu controls the smoothness (the moving average (24) of one bias's gradients, at fixed parameters).
Each curve uses the listed learning rate with the best validation accuracy.
``--draw-only`` redraws from the stored results.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments._formatting import percent
from experiments._machine import processor
from experiments._quick import narrow
from experiments._results import folder_for, read_result, run_command, write_result
from experiments._text_claim_figures import draw_race, draw_smoothness
from ffnn_jax.config import Settings, preset
from ffnn_jax.data import Dataset, load, load_splits
from ffnn_jax.layers import softmax_cross_entropy
from ffnn_jax.models import Model
from ffnn_jax.network import normalise
from ffnn_jax.nn import ReLU, Sigmoid
from ffnn_jax.optim import momentum
from ffnn_jax.reporting import save_figure
from ffnn_jax.runs import compute, device, versions

SEEDS = 3
RATES = (0.1, 0.3, 1.0, 3.0)
MOMENTA = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99)
_CURVES = ("mini-batch", "full gradient", "sigmoid")
_BATCH = 16
_TARGET_ACCURACY = 0.9
_WITH_RELU = dataclasses.replace(
    preset("quickstart"), batch_size=_BATCH, validation_batches=25, validation_interval=50
)


def main(quick: bool = False, draw_only: bool = False) -> None:
    """Three claims in the report's text, each tested with a figure.

    Args:
        quick: smoke test: 10 steps of a narrow network, 1 seed and 1 rate.
        draw_only: draw from the stored results without training.
    """
    folder = folder_for(quick)
    if not draw_only:
        write_result(folder / "text_claims.json", measure(quick))
    draw(read_result(folder / "text_claims.json"), folder)
    print(f"figures in {folder}")


def measure(quick: bool) -> dict[str, Any]:
    """Trains all networks to be compared."""
    steps, seeds, rates, batches = (10, 1, RATES[:1], 200) if quick else (3000, SEEDS, RATES, 4000)
    layers = narrow(_WITH_RELU.layers) if quick else _WITH_RELU.layers
    relu = dataclasses.replace(_WITH_RELU, layers=layers, steps=steps, seeds=seeds)
    mini, model = _best_rate(relu, rates)
    return {
        "quick": quick,
        "mini-batch": mini,
        "full gradient": _best_rate(full_gradient(relu), rates)[0],
        "sigmoid": _best_rate(with_sigmoid(relu), rates)[0],
        "smoothness": smoothness(model, load("mnist_5k", "train"), batches),
        "versions": versions(),
        "device": device(),
    }


def full_gradient(settings: Settings) -> Settings:
    """The settings with all training images in each step, and no more images in total."""
    count = len(load(settings.dataset, "train"))
    steps = max(settings.steps * settings.batch_size // count, 2)
    return dataclasses.replace(
        settings, batch_size=count, steps=steps, validation_interval=1, validation_batches=1
    )


def with_sigmoid(settings: Settings) -> Settings:
    """The settings with a sigmoid for each ReLU."""
    layers = tuple(Sigmoid() if layer == ReLU() else layer for layer in settings.layers)
    return dataclasses.replace(settings, layers=layers)


def smoothness(model: Model, images: Dataset, batches: int) -> dict[str, Any]:
    """How much a bias's gradient and its moving average vary from batch to batch.

    For independent gradients of variance 1 the moving average (24) has, in the long run, the
    variance (1 - mu)^2 (1 + mu^2 + mu^4 + ...) = (1 - mu) / (1 + mu).
    """
    gradients = _gradients_of_a_bias(model, images, batches)
    averages = {mu: _moving_average(gradients, mu) for mu in MOMENTA}
    settled = slice(batches // 4, None)
    deviation = np.std(gradients[settled])
    ratios = [np.std(average[settled]) / deviation for average in averages.values()]
    return {
        "momenta": list(MOMENTA),
        "measured": [float(ratio) for ratio in ratios],
        "expected": [float(np.sqrt((1 - mu) / (1 + mu))) for mu in MOMENTA],
        "traces": {
            str(mu): averages[mu][:200].tolist() for mu in MOMENTA if mu in (0.0, 0.9, 0.99)
        },
    }


def draw(result: dict[str, Any], folder: Path) -> None:
    """Writes the three figures."""
    mini, full, sigmoid = (result[name] for name in _CURVES)
    figures = {
        "batches": draw_race(
            {"batches of 16": mini, f"all {full['settings']['batch_size']:,} images": full},
            "seconds",
            "Batches or all images",
        ),
        "activations": draw_race({"ReLU": mini, "sigmoid": sigmoid}, "step", "ReLU or sigmoid"),
        "smoothness": draw_smoothness(result["smoothness"]),
    }
    for name, figure in figures.items():
        save_figure(figure, folder / f"text_claims_{name}.png")


def header(result: dict[str, Any]) -> str:
    """The result lines of this module's docstring."""
    mini, full, sigmoid = (result[name] for name in _CURVES)
    return (
        "Report: no numbers.\n"
        f"Ours, test accuracy in %, mean +- sd, n = {len(mini['test_accuracy'])}: batches of 16 "
        f"{_ascii(mini)},\nall images {_ascii(full)}, sigmoid {_ascii(sigmoid)}.\n"
        f"Training time per seed: {mini['train_seconds']:.0f}, {full['train_seconds']:.0f} and "
        f"{sigmoid['train_seconds']:.0f} s on {processor(result['device'])}.\n"
    )


def section(result: dict[str, Any]) -> str:
    """The three figures and their findings, in Markdown."""
    mini, full, sigmoid = (result[name] for name in _CURVES)
    ratios = result["smoothness"]
    off = max(abs(a / b - 1) for a, b in zip(ratios["measured"], ratios["expected"], strict=True))
    steps, seconds = full["settings"]["steps"], full["train_seconds"]
    accuracies = _accuracy_by_step(mini)
    in_time = [step for step in accuracies if step * _seconds_per_step(mini) <= seconds]
    reached = max(in_time or accuracies)
    return f"""| curve | rate | test accuracy, % | n | s per seed |
| --- | --- | --- | ---: | ---: |
{_line("batches of 16", mini)}{_line("all images", full)}{_line("batches of 16, sigmoid", sigmoid)}
Batches against all images: {steps} steps over all images take \
{seconds:.1f} s and reach a mean validation accuracy of {_accuracy_by_step(full)[steps]:.0%}. \
In the same time, {reached:,} steps over 16 images reach \
{accuracies[reached]:.0%}.

![batches of 16 or all images](results/text_claims_batches.png)

ReLU against the sigmoid: the mean validation accuracy first reaches {_TARGET_ACCURACY:.0%} after \
{_steps_to_target(mini)} steps with ReLU, after {_steps_to_target(sigmoid)} with the sigmoid.

![ReLU or sigmoid](results/text_claims_activations.png)

mu as smoothness: for independent gradients, the standard deviation of the moving average (24) is \
sqrt((1 - mu)/(1 + mu)) times that of the gradients; the measured ratios are within {off:.0%}.

![mu as smoothness](results/text_claims_smoothness.png)
"""


def _steps_to_target(curve: dict[str, Any]) -> str:
    """The first step at which the seeds' mean validation accuracy reaches the target."""
    reached = [step for step, mean in _accuracy_by_step(curve).items() if mean >= _TARGET_ACCURACY]
    return f"{min(reached):,}" if reached else "more than all"


def _accuracy_by_step(curve: dict[str, Any]) -> dict[int, float]:
    """The seeds' mean accuracy at each validation."""
    by_step: dict[int, list[float]] = {}
    for line in curve["history"]:
        by_step.setdefault(line["step"], []).append(line["validation_accuracy"])
    return {step: float(np.mean(values)) for step, values in by_step.items()}


def _seconds_per_step(curve: dict[str, Any]) -> float:
    return curve["train_seconds"] / curve["settings"]["steps"]


def _best_rate(settings: Settings, rates: Sequence[float]) -> tuple[dict[str, Any], Model]:
    """Trains with each rate; returns the stored form of the best by validation, and its model."""
    splits, accuracies = load_splits(settings.dataset), {}
    best: Any = None
    for rate in rates:
        result = compute(dataclasses.replace(settings, learning_rate=rate, forms=()), splits)
        accuracies[rate] = float(
            np.mean([one for one in result.validation_accuracy if one is not None])
        )
        if best is None or accuracies[rate] > accuracies[best.settings.learning_rate]:
            best = result
    stored = {
        "settings": best.settings.to_json(),
        "validation_accuracy_by_rate": {str(rate): one for rate, one in accuracies.items()},
        "test_accuracy": best.test_accuracy,
        "train_seconds": best.trained.train_seconds / settings.seeds,
        "history": [record._asdict() for record in best.trained.history],
    }
    return stored, best.models[best.best]


def _gradients_of_a_bias(model: Model, images: Dataset, batches: int) -> np.ndarray:
    """The derivative of the loss with respect to the last layer's first bias, for each batch."""
    rows = np.random.default_rng(0).integers(0, len(images), (batches, _BATCH))
    pixels, labels = jnp.asarray(images.images), jnp.asarray(images.labels)
    last = list(model.network.param_specs)[-1]

    def gradient(batch: jax.Array) -> jax.Array:
        x = normalise(pixels[batch], jax.tree.map(jnp.asarray, model.normalisation))

        def loss(bias: jax.Array) -> jax.Array:
            params = {**model.params, last: {**model.params[last], "b": bias}}
            return softmax_cross_entropy(
                model.network.apply(params, model.state, x)[0], labels[batch]
            )

        return jax.grad(loss)(jnp.asarray(model.params[last]["b"]))[0]

    return np.asarray(jax.jit(lambda rows: jax.lax.map(gradient, rows))(jnp.asarray(rows)))


def _moving_average(gradients: np.ndarray, mu: float) -> np.ndarray:
    """The m of (24) after each gradient, by the package's rule."""
    rule = momentum(1.0, mu)

    def step(state: Any, g: jax.Array) -> Any:
        _, state = rule.update(g, state, jnp.zeros(()))
        return state, state.m

    return np.asarray(jax.lax.scan(step, rule.init(jnp.zeros(())), jnp.asarray(gradients))[1])


def _line(name: str, curve: dict[str, Any]) -> str:
    rate, seconds = curve["settings"]["learning_rate"], curve["train_seconds"]
    accuracy, n = percent(curve["test_accuracy"]), len(curve["test_accuracy"])
    return f"| {name} | {rate} | {accuracy} | {n} | {seconds:.1f} |\n"


def _ascii(curve: dict[str, Any]) -> str:
    return percent(curve["test_accuracy"]).replace("±", "+-")


if __name__ == "__main__":
    run_command(main)
