"""Run callbacks: they observe a run, and may decide where it starts and whether it continues."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ffnn_jax.training._snapshot import Snapshot


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

    def on_stop(self, step: int, steps: int, snapshot: Callable[[], Snapshot]) -> None:
        """Called at each stop; may take a snapshot there, and ends the run by raising."""

    def on_progress(self, progress: Progress) -> None:
        """Called after some steps, at least every few seconds."""

    def on_evaluate(self) -> None:
        """Called after training, before all images are classified, the test images first."""

    def on_test(self, accuracies: Sequence[float]) -> None:
        """Called with each seed's test accuracy, before the training images are classified."""
