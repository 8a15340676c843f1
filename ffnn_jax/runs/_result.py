"""The results of a run, and how they are displayed.

Matplotlib is imported only where something is drawn, so that runs start without it.
"""

import dataclasses
import functools
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from ffnn_jax.config import Settings
from ffnn_jax.data import Splits
from ffnn_jax.models import Model
from ffnn_jax.nn import Conv
from ffnn_jax.runs._environment import device, versions
from ffnn_jax.runs._health import dead_layer, problem_of
from ffnn_jax.training import TrainingResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True, repr=False)
class RunResult:
    """The results of a run, with one entry per seed in every list; a notebook shows its figures.

    Attributes:
        streaming: whether the images were streamed to the device.
        trained: histories and times.
        train_accuracy: accuracy over all training images of the seed.
        validation_accuracy: accuracy over all its validation images; None without any.
        test_probabilities: probability of every class for every test image.
    """

    settings: Settings
    splits: Splits
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
        "device": device(),
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
