"""The results of a run, whether each seed learnt, and how they are displayed.

Matplotlib is imported only where something is drawn, so that runs start without it.
"""

import dataclasses
import functools
import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from ffnn_jax.config import Settings
from ffnn_jax.data import Splits
from ffnn_jax.models import Model
from ffnn_jax.network import normalise
from ffnn_jax.nn import Conv
from ffnn_jax.runs._environment import device, versions
from ffnn_jax.training import TrainingResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ERRORS = 3  # standard errors by which the test accuracy must exceed that of guessing
_LITTLE = 1.5  # times the accuracy of guessing, which a network that only started may have
_FLAT = 0.99  # of the first loss: what is above it has not fallen
_LOWER = "try a lower --learning-rate"
_OTHER = "try another --learning-rate or more --steps, and check the labels"


@dataclasses.dataclass(frozen=True, repr=False)
class RunResult:
    """The results of a run, with one entry per seed in every list; a notebook shows its figures.

    Attributes:
        devices: the number of devices used.
        streaming: whether the images were streamed to the device.
        trained: histories and times.
        train_accuracy: accuracy over all training images of the seed.
        validation_accuracy: accuracy over all its validation images; None without any.
        test_probabilities: probability of every class for every test image.
    """

    settings: Settings
    splits: Splits
    devices: int
    streaming: bool
    models: list[Model]
    trained: TrainingResult
    train_accuracy: list[float]
    validation_accuracy: list[float | None]
    test_probabilities: list[Float[np.ndarray, "N K"]]

    @property
    def best(self) -> int:
        """Index of the (first) model with the highest validation accuracy; 0 without validation."""
        return int(np.argmax([-1.0 if one is None else one for one in self.validation_accuracy]))

    @property
    def model(self) -> Model:
        """The best model by validation."""
        return self.models[self.best]

    @property
    def seeds(self) -> list[int]:
        """The seed of each model."""
        return [self.settings.seed + index for index in range(len(self.models))]

    @property
    def test_predicted(self) -> list[np.ndarray]:
        """The most probable class of every test image."""
        return [probabilities.argmax(axis=1) for probabilities in self.test_probabilities]

    @property
    def test_accuracy(self) -> list[float]:
        """Accuracy over all test images."""
        return accuracies(self.test_probabilities, self.splits.test.labels)

    @property
    def confusions(self) -> list[np.ndarray]:
        """confusion[true][predicted] over all test images."""
        from ffnn_jax.reporting import confusion_matrix

        labels, classes = self.splits.test.labels, len(self.splits.test.class_names)
        return [confusion_matrix(labels, p, classes) for p in self.test_predicted]

    @functools.cached_property
    def warnings(self) -> list[str]:
        """One line for each seed that learnt nothing, with what to try next."""
        found = zip(self.seeds, map(self._problem, range(len(self.models))), strict=True)
        return [f"seed {seed} learnt nothing: {problem}" for seed, problem in found if problem]

    def _problem(self, index: int) -> str | None:
        seed, confusion = self.seeds[index], self.confusions[index]
        losses = [record.loss for record in self.trained.history if record.seed == seed]
        problem, first = problem_of(confusion, losses), self.splits.test.images[:64]
        return problem and problem_of(confusion, losses, dead_layer(self.models[index], first))

    @property
    def first_kernels(self) -> Float[np.ndarray, "KH KW C K"] | None:
        """The best model's kernels of the first convolution; None in a network without one."""
        model = self.models[self.best]
        first = model.network.first(Conv)
        return None if first is None else np.asarray(model.params[first]["w"])

    def figures(self) -> "dict[str, Figure]":
        """Every figure of the best model by name; filters only if there is a convolution."""
        from ffnn_jax import reporting

        test, names = self.splits.test, self.splits.test.class_names
        indices = most_confident_errors(self, self.best)
        probabilities = self.test_probabilities[self.best][indices]
        confusion, kernels = self.confusions[self.best], self.first_kernels
        shown = test.images[indices], test.labels[indices], probabilities.argmax(axis=1), names
        figures = {
            "misclassified": reporting.draw_misclassified(*shown, probabilities.max(axis=1)),
            "confusion": reporting.draw_confusion(confusion, names),
            "precision_recall": reporting.draw_precision_recall(confusion, names),
            "curves": reporting.draw_curves([record._asdict() for record in self.trained.history]),
        }
        filters = {} if kernels is None else {"filters": reporting.draw_filters(kernels)}
        return figures | filters

    def __repr__(self) -> str:
        """Accuracies, averaged over the seeds, and the training time."""
        names = ("test", "validation", "training")
        shares = (self.test_accuracy, self.validation_accuracy, self.train_accuracy)
        accuracies = ", ".join(f"{name} {_mean(s)}" for name, s in zip(names, shares, strict=True))
        seeds = f"{len(self.seeds)} seed{'s' if len(self.seeds) > 1 else ''}"
        spent = f"trained in {self.trained.train_seconds:.1f} s"
        return f"{self.settings.preset}, {seeds}: accuracy {accuracies}; {spent}"

    def _repr_html_(self) -> str:
        from ffnn_jax.reporting import run_fragment

        return run_fragment(result_to_json(self), self.figures())


def accuracies(
    probabilities: Sequence[Float[np.ndarray, "N K"]], labels: Int[np.ndarray, " N"]
) -> list[float]:
    """Each model's share of images whose most probable class is the true one."""
    return [float(np.mean(one.argmax(axis=1) == labels)) for one in probabilities]


def result_to_json(result: RunResult) -> dict[str, Any]:
    """The content of ``result.json``; lists have one entry per seed."""
    settings, splits, trained = result.settings, result.splits, result.trained
    summary = result.models[0].network.summary()
    images = len(result.models) * settings.steps * settings.batch_size
    return {
        "preset": settings.preset,
        "dataset": settings.dataset,
        "data_sha256": {part.name: part.sha256 for part in splits if part is not None},
        "seeds": result.seeds,
        "test_accuracy": result.test_accuracy,
        "validation_accuracy": result.validation_accuracy,
        "train_accuracy": result.train_accuracy,
        "best_seed": result.seeds[result.best],
        "confusion": [confusion.tolist() for confusion in result.confusions],
        "class_names": splits.test.class_names,
        "parameters": summary.parameters,
        "network": summary.to_json(),
        "parameters_sha256": [model.parameters_sha256 for model in result.models],
        "compile_seconds": trained.compile_seconds,
        "streaming": result.streaming,
        "train_seconds": trained.train_seconds,
        "images_per_second": images / trained.train_seconds,
        "versions": versions(),
        "device": device(result.devices),
        "warnings": result.warnings,
    }


def most_confident_errors(result: RunResult, model: int, count: int = 16) -> np.ndarray:
    """Indices of the test images that are misclassified with the highest probability."""
    probabilities = result.test_probabilities[model]
    wrong = np.flatnonzero(result.test_predicted[model] != result.splits.test.labels)
    confidence = probabilities[wrong].max(axis=1)
    return wrong[np.argsort(-confidence, kind="stable")][:count]


def _mean(accuracies: Sequence[float | None]) -> str:
    known = [accuracy for accuracy in accuracies if accuracy is not None]
    return f"{statistics.mean(known):.4f}" if known else "-"


def problem_of(
    confusion: Int[np.ndarray, "K K"], losses: Sequence[float], dead: str | None = None
) -> str | None:
    """What is wrong with a seed that learnt nothing, and what to try next; None if it learnt.

    Guessing is to predict each class as often as the seed did, but of random images. A loss of
    log K is that of equal probabilities.

    Args:
        confusion: confusion[true][predicted] over all test images.
        losses: the smoothed loss at each validation.
        dead: the name of a layer whose outputs are all 0, if there is one.
    """
    images, true, predicted = confusion.sum(), confusion.sum(axis=1), confusion.sum(axis=0)
    if np.count_nonzero(true) == 1:
        return None  # there is nothing to tell apart
    accuracy, chance = confusion.trace() / images, float(true @ predicted) / images**2
    error = math.sqrt(chance * (1 - chance) / images)
    flat = len(losses) > 1 and losses[-1] > _FLAT * losses[0]
    high = losses[-1] >= math.log(len(true)) and (flat or accuracy < _LITTLE * chance)
    if dead:
        return f"every output of {dead} is 0; {_LOWER} or another --seed"
    if np.count_nonzero(predicted) == 1:
        return f"one class is predicted for all test images; {_LOWER}"
    if high:
        return f"the loss is not below that of guessing, log {len(true)}; {_OTHER}"
    if accuracy <= chance + _ERRORS * error:
        return f"the test accuracy is that of guessing; {_OTHER}"
    return None


def dead_layer(model: Model, images: UInt8[np.ndarray, "N H W C"]) -> str | None:
    """The first layer whose outputs are all 0, which no gradient passes; None without one."""
    x = normalise(images, model.normalisation)
    outputs = model.network.outputs(model.params, model.state, x)
    return next((name for name, z in outputs.items() if not np.any(z)), None)
