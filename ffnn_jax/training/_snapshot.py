"""What a run tells its callbacks, and all that it needs to resume: states, metrics, history.

A batch is a pure function of (seed, step), so no position in the data has to be saved.
"""

import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array

from ffnn_jax.config import UserError
from ffnn_jax.network import by_path
from ffnn_jax.training._step import TrainState


class Record(NamedTuple):
    """One record of a seed's history, after ``step`` steps.

    Loss and accuracy are those of the training batches, smoothed as in ``RunningMean``; the loss
    includes weight decay's term. The validation accuracy is over a few random batches; None without
    validation images.
    """

    seed: int
    step: int
    loss: float
    accuracy: float
    validation_accuracy: float | None


@dataclasses.dataclass
class RunningMean:
    """The mean of the first 20 values, then an exponential moving average with decay 0.995."""

    count: int = 0
    value: float = 0.0

    def add(self, values: Array | np.ndarray) -> None:
        """Adds the values in order."""
        for value in values.tolist():
            self.count += 1
            weight = 1 / self.count if self.count <= 20 else 1 - 0.995
            self.value += weight * (value - self.value)


@dataclasses.dataclass
class RunningMetrics:
    """Smoothed training metrics and the last validation accuracy of one seed."""

    seed: int
    loss: RunningMean = dataclasses.field(default_factory=RunningMean)
    accuracy: RunningMean = dataclasses.field(default_factory=RunningMean)
    validation_accuracy: float | None = None


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A run after some steps, on the host: each seed's state and metrics, and the time so far."""

    step: int
    states: Sequence[TrainState]
    running_metrics: Sequence[RunningMetrics]
    history: Sequence[Record] = ()
    seconds: float = 0.0

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Every leaf of the states by name, as in "seed_0/params/conv_1/w"."""
        return {name: np.asarray(leaf) for name, leaf in _by_name(self.states).items()}

    def to_json(self) -> dict[str, Any]:
        """Everything but the arrays."""
        return {
            "step": self.step,
            "running_metrics": [dataclasses.asdict(one) for one in self.running_metrics],
            "history": [list(record) for record in self.history],
            "seconds": self.seconds,
        }


def snapshot_from(
    arrays: Mapping[str, np.ndarray], metadata: Mapping[str, Any], template: Sequence[Any]
) -> Snapshot:
    """Rebuilds a snapshot from its ``to_arrays`` and ``to_json``.

    The template is one state per seed, or its shapes.

    Raises:
        UserError: the arrays do not match the template; the first five that differ are named.
    """
    expected = _by_name(template)
    differing = [
        f"{name} is {_kind(arrays.get(name))}, not {_kind(expected.get(name))}"
        for name in sorted({*arrays, *expected})
        if _kind(arrays.get(name)) != _kind(expected.get(name))
    ]
    if differing:
        raise UserError(f"from another run: {'; '.join(differing[:5])}")
    structure = jax.tree.structure(list(template))
    states = jax.tree.unflatten(structure, [arrays[name] for name in expected])
    metrics = [
        RunningMetrics(**one | {name: RunningMean(**one[name]) for name in ("loss", "accuracy")})
        for one in metadata["running_metrics"]
    ]
    history = [Record(*record) for record in metadata["history"]]
    return Snapshot(metadata["step"], states, metrics, history, metadata["seconds"])


def _by_name(states: Sequence[Any]) -> dict[str, Any]:
    """The leaves of all seeds in order."""
    return {
        f"seed_{index}/{name}": leaf
        for index, state in enumerate(states)
        for name, leaf in by_path(state).items()
    }


def _kind(leaf: Any) -> str:
    return "absent" if leaf is None else f"{np.dtype(leaf.dtype)} {tuple(leaf.shape)}"


class Progress(NamedTuple):
    """A run's progress: the step, means over all seeds, and the seconds left."""

    step: int
    steps: int
    loss: float
    accuracy: float
    validation_accuracy: float | None
    images_per_second: float
    seconds_left: float


class Callbacks:
    """Run callbacks; the defaults do nothing."""

    def on_metadata(self, run: Mapping[str, Any]) -> None:
        """Called before training with settings, data and normalisation, as JSON types."""

    def on_begin(self, fresh: Snapshot) -> Snapshot:
        """Returns the snapshot to start from, given the state before the first step."""
        return fresh

    def on_compile(self) -> None:
        """Called before the training step is compiled."""

    def next_stop(self, step: int) -> int:
        """Returns the next step after this one at which ``on_stop`` must be called."""
        return sys.maxsize

    def agree(self, stop: int) -> int:
        """Returns the stop, after this one process's, that all processes of the run take."""
        return stop

    def on_stop(self, step: int, steps: int, snapshot: Callable[[], Snapshot]) -> None:
        """Called at each stop; may take a snapshot there, and ends the run by raising."""

    def on_record(self, record: Record) -> None:
        """Called at each validation with each seed's record, before the stop there."""

    def on_progress(self, progress: Progress) -> None:
        """Called after some steps, at least every few seconds."""

    def on_evaluate(self) -> None:
        """Called after training, before all images are classified, the test images first."""

    def on_test(self, accuracies: Sequence[float]) -> None:
        """Called with each seed's test accuracy, before the training images are classified."""
