"""Plain JAX trains a rung of the ladder: XLA's convolution and pooling, autodiff, optax.

The recipe, the initial weights and the batches are those of ``_rung``; the step is jitted and
called from Python, with its state donated. Muon is this package's.
"""

import functools
from collections.abc import Hashable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from experiments.peers._jax import on_device
from experiments.peers.plain import outputs
from experiments.whole._data import print_accuracy
from experiments.whole._rung import VIEWS, Rung, load_rung
from ffnn_jax.nn import BatchNorm
from ffnn_jax.optim import muon

_BLOCK = 500


def main() -> None:
    """Trains, tests, prints the result."""
    rung = load_rung()
    workload = rung.workload()
    params, running = (
        tuple(map(on_device, arrays)) for arrays in (workload.weights(), workload.running())
    )
    rule = _rule_of(rung, params)
    step, state = _make_step(rung, rule), (params, running, rule.init(params))
    for batch in rung.batches():
        state = step(state, *batch)
    print_accuracy(_test_accuracy(rung, *state[:2]))


def _rule_of(rung: Rung, params: Any) -> optax.GradientTransformation:
    """Muon for kernels, Nesterov's momentum for the rest; first kernels and last factor fixed."""
    settings = rung.settings

    def scheduled(peak: float) -> optax.Schedule:
        shares, factors = map(jnp.asarray, zip(*settings.rate_points, strict=True))
        return lambda step: peak * jnp.interp(step / settings.steps, shares, factors)

    def rule(group: str) -> optax.GradientTransformation:
        return optax.chain(
            optax.scale(rung.group_factor(group)),
            optax.add_decayed_weights(settings.weight_decay),
            optax.trace(settings.momentum, nesterov=True),
            optax.scale_by_learning_rate(scheduled(settings.learning_rate)),
        )

    def first_steps(step: Any) -> Any:
        return jnp.where(step < rung.whitening_steps, 1.0, 0.0)

    rules: dict[Hashable, optax.GradientTransformation] = {
        "": rule(""), "norm": rule("norm"), "fixed": optax.set_to_zero(),
        "whitening": optax.chain(rule("whitening"), optax.scale_by_schedule(first_steps)),
        "kernel": muon(scheduled(settings.muon_rate)),
    }  # fmt: skip
    labels = [{name: _label(array) for name, array in one.items()} for one in params]
    for label, layer in zip(labels, settings.layers, strict=True):
        if isinstance(layer, BatchNorm):
            label["shift"] = "norm"
    labels[0] = {"w": "fixed", "b": "whitening"}
    labels[-1] = {"factor": "fixed"}
    return optax.partition(rules, tuple(labels))


def _label(array: Array) -> str:
    return "kernel" if array.ndim == 4 else ""


def _make_step(rung: Rung, rule: optax.GradientTransformation) -> Any:
    """The jitted step: state, rows, which are mirrored, and crops, to the next state."""
    images, labels = jnp.asarray(rung.images), jnp.asarray(rung.labels)
    pad, size, smoothing = rung.padding, rung.images.shape[1:3], rung.settings.label_smoothing

    def augmented(rows: Array, flipped: Array, offsets: Array) -> Array:
        x = jnp.where(flipped[:, None, None, None] == 1, images[rows, :, ::-1], images[rows])
        x = jnp.pad(_normalised(rung, x), ((0, 0), (pad, pad), (pad, pad), (0, 0)), "reflect")
        cut = functools.partial(jax.lax.dynamic_slice, slice_sizes=(*size, x.shape[-1]))
        return jax.vmap(lambda image, start: cut(image, (*start, 0)))(x, offsets.T)

    def loss_of(params: Any, running: Any, x: Array, y: Array) -> tuple[Array, Any]:
        logits, running = outputs(rung.settings.layers, params, running, x)
        targets = optax.smooth_labels(jax.nn.one_hot(y, logits.shape[-1]), smoothing)
        return optax.softmax_cross_entropy(logits, targets).mean(), tuple(running)

    @functools.partial(jax.jit, donate_argnums=0)
    def step(state: Any, rows: Array, flipped: Array, offsets: Array) -> Any:
        params, running, rest = state
        x = augmented(rows, flipped, offsets)
        grads, running = jax.grad(loss_of, has_aux=True)(params, running, x, labels[rows])
        updates, rest = rule.update(grads, rest, params)
        return optax.apply_updates(params, updates), running, rest

    return step


def _normalised(rung: Rung, pixels: Array) -> Array:
    return (pixels - rung.mean) / rung.deviation


def _test_accuracy(rung: Rung, params: Any, running: Any) -> float:
    """The share of test images whose views are classified correctly."""
    _, height, width, _ = rung.test_images.shape

    @jax.jit
    def predicted(pixels: Array) -> Array:
        x = jnp.pad(_normalised(rung, pixels), ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect")
        total = 0.0
        for first, weight in VIEWS.items():
            view = x[:, first : first + height, first : first + width]
            for one in (view, view[:, :, ::-1]):
                logits, _ = outputs(rung.settings.layers, params, running, one, training=False)
                total += weight / 2 * logits
        return jnp.argmax(total, axis=1)

    blocks = np.array_split(rung.test_images, max(1, len(rung.test_images) // _BLOCK))
    found = np.concatenate([predicted(block) for block in blocks])
    return float((found == rung.test_labels).mean())


if __name__ == "__main__":
    main()
