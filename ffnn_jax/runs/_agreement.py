"""Checkpoints of a run of several processes: all of them begin, stop and end alike."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax

from ffnn_jax._errors import StopRequest
from ffnn_jax.runs._checkpoints import Checkpoint, CheckpointManager
from ffnn_jax.runs._hosts import agreed, digest_of, facts_of, gather, require_same, together, writes
from ffnn_jax.training import Callbacks, Snapshot


class AgreedCheckpoints(CheckpointManager):
    """One of several processes' callbacks; the first process saves, the others resume from it.

    Its arguments are those of ``CheckpointManager``. A signal to any process ends all of them at
    the same stop.
    """

    def __init__(
        self, folder: Path, every: int | None, start: Checkpoint | None, stop: StopRequest,
        listener: Callbacks,
    ) -> None:  # fmt: skip
        """Creates the folder of checkpoints, in the first process."""
        super().__init__(folder, every, start, StopRequest(), listener, writes())
        self._received = stop

    def on_metadata(self, run: Mapping[str, Any]) -> None:
        """Keeps the metadata.

        Raises:
            UserError: the processes differ in what their results depend on.
        """
        with together():
            super().on_metadata(run)
        start = {} if self._start is None else {"checkpoint": digest_of(self._start.arrays)}
        require_same({"every": self._every, **facts_of(run), **start})

    def on_begin(self, fresh: Snapshot) -> Snapshot:
        """Resumes or begins, where all processes have the same initial state."""
        require_same({"initial state": digest_of(fresh.to_arrays())})
        with together():
            return super().on_begin(fresh)

    def agree(self, stop: int) -> int:
        """The first process's stop: its clock decides."""
        return gather(stop)[0]

    def on_stop(self, step: int, steps: int, snapshot: Callable[[], Snapshot]) -> None:
        """Saves if due, and ends the run if any process is requested to."""
        self._stop.signal = agreed(self._received)
        super().on_stop(step, steps, snapshot)


def checkpoints(
    folder: Path, every: int | None, start: Checkpoint | None, stop: StopRequest,
    listener: Callbacks,
) -> CheckpointManager:  # fmt: skip
    """The callbacks that save a run's checkpoints, of one process or one of several."""
    kind = CheckpointManager if jax.process_count() == 1 else AgreedCheckpoints
    return kind(folder, every, start, stop, listener)
