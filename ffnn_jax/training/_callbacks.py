"""Run callbacks: what a run tells, and what may decide where it begins and whether it goes on."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ffnn_jax.training._snapshot import Snapshot


class Progress(NamedTuple):
    """Where a run stands, over all its seeds: means, and seconds still to go."""

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
        """Before training: settings, data and normalisation, as JSON's own types."""

    def on_begin(self, fresh: Snapshot) -> Snapshot:
        """Where the run begins, given its state before the first step."""
        return fresh

    def on_compile(self) -> None:
        """The training step is being compiled."""

    def next_stop(self, step: int) -> int:
        """The next step after this one at which ``on_stop`` is to be called."""
        return sys.maxsize

    def on_stop(self, step: int, steps: int, snapshot: Callable[[], Snapshot]) -> None:
        """At each stop; may ask for the snapshot there, and what it raises ends the run."""

    def on_progress(self, progress: Progress) -> None:
        """Some steps are done; at least every few seconds."""

    def on_evaluate(self) -> None:
        """Training is done; all images are being classified, the test images first."""

    def on_test(self, accuracies: Sequence[float]) -> None:
        """The test accuracy of every seed is known; the training images are next."""
