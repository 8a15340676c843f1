"""Checkpoints of a run of several processes: all of them begin, stop and end alike."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ffnn_jax._errors import StopRequest
from ffnn_jax.runs._checkpoints import Checkpoint, CheckpointManager
from ffnn_jax.runs._compute import Plan, run_metadata
from ffnn_jax.runs._environment import versions
from ffnn_jax.runs._folder import new_run_folder
from ffnn_jax.runs._hosts import gather, of_first, require_same, together, writes
from ffnn_jax.training import Callbacks, Snapshot


def agreed_folder(planned: Plan, folder: Path | None) -> Path:
    """The folder of a new run, created by the first process once all have planned the same.

    Raises:
        UserError: the processes differ, or the folder exists or cannot be created.
    """
    require_same(_facts(run_metadata(planned, [])))
    return of_first(new_run_folder, planned.settings.preset, folder)


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
        start = {} if self._start is None else {"checkpoint": _digest(self._start.arrays)}
        require_same({**_facts(run), **start})

    def on_begin(self, fresh: Snapshot) -> Snapshot:
        """Resumes or begins, where all processes have the same initial state."""
        require_same({"initial state": _digest(fresh.to_arrays())})
        with together():
            return super().on_begin(fresh)

    def agree(self, stop: int) -> int:
        """The first process's stop: its clock decides."""
        return gather(stop)[0]

    def on_stop(self, step: int, steps: int, snapshot: Callable[[], Snapshot]) -> None:
        """Saves if due, and ends the run if any process is requested to."""
        signals = filter(None, gather(self._received.signal))
        self._stop.signal = max(signals, default=None)
        super().on_stop(step, steps, snapshot)


def checkpoints(
    folder: Path, every: int | None, start: Checkpoint | None, stop: StopRequest,
    listener: Callbacks,
) -> CheckpointManager:  # fmt: skip
    """The callbacks that save a run's checkpoints, of one process or one of several."""
    kind = CheckpointManager if jax.process_count() == 1 else AgreedCheckpoints
    return kind(folder, every, start, stop, listener)


def _facts(run: Mapping[str, Any]) -> dict[str, Any]:
    """What a run's results depend on, by name; the data may be at another path in each process."""
    settings = {name: value for name, value in run["settings"].items() if name != "dataset"}
    return {
        **{f"version of {name}": number for name, number in versions().items()},
        **{f"data {name}": digest[:16] for name, digest in run["data_sha256"].items()},
        "normalisation": run["normalisation"], "streaming": run.get("streaming"), **settings,
    }  # fmt: skip


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    """The SHA-256 of arrays and their names."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()
