"""Checkpoints of a run: one file a step in the run's folder, each whole or not there.

A file holds every array of the run's state with its SHA-256, and what the run was asked for, in the
form of ``models.save_arrays``. The last few are kept, and the best by validation. What cannot be
read is named and put aside, and the one before it is used; a run never begins anew unasked.
"""

import dataclasses
import json
import logging
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ffnn_jax.config import RunInterruptedError, Settings, UserError
from ffnn_jax.models import load_arrays, save_arrays
from ffnn_jax.runs._environment import arithmetic
from ffnn_jax.runs._folder import writing
from ffnn_jax.training import Callbacks, Progress, Snapshot, snapshot_from

CHECKPOINT_INTERVAL = 1000
_LAST = 3
_NAME = re.compile(r"step-(\d{10})\.npz")
_log = logging.getLogger(__name__)


@dataclasses.dataclass
class StopRequest:
    """Whether a run is to end before its last step: the number of the signal that asks for it."""

    signal: int | None = None


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A checkpoint as it was read.

    Attributes:
        path: its file.
        arrays: by name.
        about: what JSON says: the step, what the run was asked for, what is shown, the history.
    """

    path: Path
    arrays: Mapping[str, np.ndarray]
    about: Mapping[str, Any]


class CheckpointManager(Callbacks):
    """Keeps a run's snapshots in its folder, and passes on what the run tells.

    Args:
        folder: of the run.
        every: steps between two checkpoints, if not given as often as the run had them, or 1,000;
            there is one before the first step, and one at the end, too.
        start: where to go on; from the first step if not given.
        stop: is asked at each stop whether the run is to end there.
        listener: is told how the run goes.
    """

    def __init__(
        self,
        folder: Path,
        every: int | None = None,
        start: Checkpoint | None = None,
        stop: StopRequest | None = None,
        listener: Callbacks | None = None,
    ) -> None:
        """Makes the folder of the checkpoints."""
        self._folder, self._start = folder / "checkpoints", start
        self._every = every or (start.about.get("every") if start else None) or CHECKPOINT_INTERVAL
        self._stop, self._listener = stop or StopRequest(), listener or Callbacks()
        self._run: Mapping[str, Any] = {}
        self._folder.mkdir(parents=True, exist_ok=True)
        for part in self._folder.glob(".*.part"):
            part.unlink(missing_ok=True)  # of a process that was killed
        self._best: float | None = None

    def on_metadata(self, run: Mapping[str, Any]) -> None:
        """Takes what each checkpoint says of its run: settings, data, normalisation.

        Raises:
            UserError: the run that is to go on had other data, or another normalisation of it.
        """
        self._run = {**run, "every": self._every, "arithmetic": arithmetic()}
        if self._start is not None:
            for key in ("data_sha256", "normalisation"):
                _require_same(self._start, key, run[key])
            _warn_of_other_arithmetic(self._start, self._run["arithmetic"])
        self._best = _validation_of(self._folder / "best.npz", run)

    def on_begin(self, fresh: Snapshot) -> Snapshot:
        """Goes on where the run was, or saves its beginning.

        What is newer could not be read and is put aside; a new number of steps is kept at once.
        """
        if self._start is None:
            self._save(dataclasses.replace(fresh, states=jax.device_get(list(fresh.states))))
            return fresh
        try:
            snapshot = snapshot_from(self._start.arrays, self._start.about, fresh.states)
        except UserError as error:
            raise UserError(f"{self._start.path}: {error}") from None
        for step, path in _numbered(self._folder):
            if step > snapshot.step:
                path.replace(path.with_suffix(".npz.damaged"))
        if self._start.about["settings"] != self._run["settings"]:
            self._save(dataclasses.replace(snapshot, states=jax.device_get(list(snapshot.states))))
        return snapshot

    def next_stop(self, step: int) -> int:
        """The next step that a checkpoint is due at."""
        return (step // self._every + 1) * self._every

    def on_stop(self, step: int, steps: int, snapshot: Callable[[], Snapshot]) -> None:
        """Saves where that is due, and ends the run where that was asked for."""
        ends = self._stop.signal
        if ends is not None or step % self._every == 0 or step == steps:
            self._save(snapshot())
        if ends is not None and step < steps:
            raise RunInterruptedError(ends, f"saved at step {step:,}")

    def on_compile(self) -> None:
        """Passes it on."""
        self._listener.on_compile()

    def on_progress(self, progress: Progress) -> None:
        """Passes it on."""
        self._listener.on_progress(progress)

    def on_evaluate(self) -> None:
        """Passes it on."""
        self._listener.on_evaluate()

    def on_test(self, accuracies: Sequence[float]) -> None:
        """Passes it on."""
        self._listener.on_test(accuracies)

    def _save(self, snapshot: Snapshot) -> None:
        looks = [one.validation_accuracy for one in snapshot.history if one.step == snapshot.step]
        known = [look for look in looks if look is not None]
        validation = float(np.mean(known)) if known else None
        about = {**self._run, **snapshot.to_json(), "validation": validation}
        path = self._folder / f"step-{snapshot.step:010}.npz"
        with writing(path):
            save_arrays(path, snapshot.to_arrays(), about)
            self._note(path, validation)
        self._prune()

    def _note(self, path: Path, validation: float | None) -> None:
        """Makes the checkpoint the best one, if it is."""
        if validation is None or (self._best is not None and validation <= self._best):
            return
        part = self._folder / ".best.npz.part"
        shutil.copyfile(path, part)
        part.replace(self._folder / "best.npz")
        self._best = validation

    def _prune(self) -> None:
        for _, path in _numbered(self._folder)[_LAST:]:
            path.unlink()


def last_checkpoint(folder: Path) -> Checkpoint:
    """The newest readable checkpoint of a run, falling back to the best.

    Raises:
        UserError: there is none.
    """
    found: list[tuple[int | None, Path]] = [*_numbered(folder / "checkpoints")]
    best = folder / "checkpoints" / "best.npz"
    if best.exists():
        found.append((None, best))
    for step, path in found:
        try:
            return _read(path, step)
        except UserError as error:
            _log.warning("%s; the one before it is used", error)
    if found:
        raise UserError(f"{folder} has no checkpoint that can be read: nothing to resume")
    raise UserError(f"{folder} ended before its first checkpoint: remove it and begin anew")


def _read(path: Path, step: int | None) -> Checkpoint:
    """A checkpoint, of this step if one is given."""
    arrays, about, number = load_arrays(path)
    if "settings" not in about or not isinstance(about.get("step"), int):
        raise UserError(f"{path}: no checkpoint of a run")
    if step not in (None, about["step"]):
        raise UserError(f"{path}: it is of step {about['step']}")
    if number == 1:
        about["settings"] = Settings.from_json(about["settings"]).to_json()  # as format 2 has them
    return Checkpoint(path, arrays, about)


def _validation_of(best: Path, run: Mapping[str, Any]) -> float | None:
    """The validation accuracy of the best checkpoint of this run; None if there is none."""
    if not best.exists():
        return None
    try:
        about = _read(best, None).about
        there, here = (_but_for_steps(of["settings"]) for of in (about, run))
        if (there, about.get("data_sha256")) != (here, run["data_sha256"]):
            raise UserError(f"{best}: of another run")
        return about["validation"]
    except UserError as error:
        _log.warning("%s; it will be replaced", error)
        return None


def _but_for_steps(settings: Mapping[str, Any]) -> Any:
    """Settings as they are read from a file, without the number of steps."""
    return json.loads(json.dumps({**settings, "steps": 0}))


def _warn_of_other_arithmetic(start: Checkpoint, now: Mapping[str, Any]) -> None:
    for name, value in start.about.get("arithmetic", {}).items():
        if now.get(name) != value:
            _log.warning(
                "%s was %s, now it is %s: what follows may differ from an unbroken run",
                name, value, now.get(name),
            )  # fmt: skip


def _numbered(folder: Path) -> list[tuple[int, Path]]:
    """The checkpoints by step, the newest first."""
    files = ((_NAME.fullmatch(path.name), path) for path in folder.glob("step-*.npz"))
    return sorted(((int(name[1]), path) for name, path in files if name), reverse=True)


def _require_same(checkpoint: Checkpoint, key: str, now: Any) -> None:
    if checkpoint.about.get(key) != now:
        what = key.replace("_", " ")
        raise UserError(
            f"{checkpoint.path}: its {what} was {checkpoint.about.get(key)}, now it is {now}"
        )
