"""Checkpoints of a run: one file per saved step in the run's folder, written atomically.

A file holds every array of the run's state with its SHA-256, and the run's settings, in the format
of ``models.save_arrays``. The last few are kept, and the best by validation. An unreadable file is
reported and set aside, and the one before it is used; a run never silently starts from scratch.
"""

import contextlib
import dataclasses
import json
import logging
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ffnn_jax._errors import StopRequest
from ffnn_jax._files import patiently
from ffnn_jax.config import RunInterruptedError, Settings, UserError
from ffnn_jax.models import load_arrays, save_arrays
from ffnn_jax.runs._environment import arithmetic
from ffnn_jax.runs._folder import write_metrics, writing
from ffnn_jax.runs._read import require_checkpoint
from ffnn_jax.training import Callbacks, Record, Snapshot, snapshot_from

CHECKPOINT_INTERVAL = 1000
_LAST = 3
_NAME = re.compile(r"step-(\d{10})\.npz")
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A checkpoint read from its file: arrays by name, and step, settings, metrics, history."""

    path: Path
    arrays: Mapping[str, np.ndarray]
    about: Mapping[str, Any]


class CheckpointManager(Callbacks):
    """Saves a run's snapshots and metrics in its folder, and forwards the other callbacks.

    Args:
        folder: the run's folder.
        every: steps between checkpoints; by default as in the resumed run, or 1,000. There is
            also one before the first step, and one at the end.
        start: checkpoint to resume from; by default the run starts at its first step.
        stop: checked at each stop for a request to end the run.
        listener: receives the other callbacks.
        writes: whether this process writes to the folder; of several, one does.
    """

    def __init__(
        self,
        folder: Path,
        every: int | None = None,
        start: Checkpoint | None = None,
        stop: StopRequest | None = None,
        listener: Callbacks | None = None,
        writes: bool = True,
    ) -> None:
        """Creates the folder of checkpoints."""
        self._folder, self._start = folder / "checkpoints", start
        self._metrics = folder / "metrics.jsonl"
        self._every = every or (start.about.get("every") if start else None) or CHECKPOINT_INTERVAL
        self._stop, other = stop or StopRequest(), listener or Callbacks()
        self.on_compile, self.on_progress = other.on_compile, other.on_progress
        self.on_evaluate, self.on_test = other.on_evaluate, other.on_test
        self._listen = other.on_record
        self._run: Mapping[str, Any] = {}
        self._best: float | None = None
        self._writes = writes
        if writes:
            self._folder.mkdir(parents=True, exist_ok=True)
            for part in self._folder.glob(".*.part"):
                part.unlink(missing_ok=True)  # left by a killed process

    def on_metadata(self, run: Mapping[str, Any]) -> None:
        """Keeps the metadata that each checkpoint stores: settings, data, normalisation.

        Raises:
            UserError: the resumed run had other images, classes, or another normalisation.
        """
        about = {"every": self._every, "arithmetic": arithmetic(run["devices"])}
        self._run = {**run, **about}
        if self._start is not None:
            for key in ("data_sha256", "class_names", "normalisation"):
                saved = self._start.about.get(key, run[key] if key == "class_names" else None)
                if saved != run[key]:
                    problem = f"{_difference(key, saved, run[key])}; restore them, or train anew"
                    raise UserError(f"{self._start.path}: {problem}")
            _warn_of_other_arithmetic(self._start, self._run["arithmetic"])
        self._best = _validation_of(self._folder / "best.npz", run)

    def on_begin(self, fresh: Snapshot) -> Snapshot:
        """Resumes from the checkpoint, or saves the initial state.

        Sets aside newer, unreadable files; saves at once if the number of steps has changed. The
        metrics on disk become those of the checkpoint.
        """
        if self._start is None:
            self._save(fresh)
            self._write_metrics(())
            return fresh
        try:
            snapshot = snapshot_from(self._start.arrays, self._start.about, fresh.states)
        except UserError as error:
            raise UserError(f"{self._start.path}: {error}") from None
        for step, path in _numbered(self._folder):
            if step > snapshot.step and self._writes:
                patiently(path.replace, path.with_suffix(".npz.damaged"))
        if self._start.about["settings"] != self._run["settings"]:
            self._save(snapshot)
        self._write_metrics(snapshot.history)
        return snapshot

    def on_record(self, record: Record) -> None:
        """Adds the record to the metrics on disk, which can be read while the run goes on."""
        self._write_metrics((record,), "a")
        self._listen(record)

    def next_stop(self, step: int) -> int:
        """The next step at which a checkpoint is due."""
        return (step // self._every + 1) * self._every

    def on_stop(self, step: int, steps: int, snapshot: Callable[[], Snapshot]) -> None:
        """Saves a checkpoint if one is due, and ends the run if requested."""
        signal = self._stop.signal
        if signal is not None or step % self._every == 0 or step == steps:
            self._save(snapshot())
        if signal is not None and step < steps:
            raise RunInterruptedError(signal, f"saved at step {step:,}")

    def _write_metrics(self, history: Iterable[Record], mode: str = "w") -> None:
        if self._writes:
            write_metrics(self._metrics, history, mode)

    def _save(self, snapshot: Snapshot) -> None:
        if not self._writes:
            return
        records = [record for record in snapshot.history if record.step == snapshot.step]
        accuracies = [r.validation_accuracy for r in records if r.validation_accuracy is not None]
        validation = float(np.mean(accuracies)) if accuracies else None
        about = {**self._run, **snapshot.to_json(), "validation": validation}
        path = self._folder / f"step-{snapshot.step:010}.npz"
        with writing(path):
            save_arrays(path, snapshot.to_arrays(), about)
        self._update_best(path, validation)
        self._prune()

    def _update_best(self, path: Path, validation: float | None) -> None:
        """Copies the checkpoint to ``best.npz`` if it is the best so far."""
        if validation is None or (self._best is not None and validation <= self._best):
            return
        best, part = self._folder / "best.npz", self._folder / ".best.npz.part"
        try:
            with writing(best):
                shutil.copyfile(path, part)
                patiently(part.replace, best)
        finally:
            part.unlink(missing_ok=True)
        self._best = validation

    def _prune(self) -> None:
        for _, path in _numbered(self._folder)[_LAST:]:
            with contextlib.suppress(PermissionError):  # on Windows, if it is being read
                path.unlink()


def last_checkpoint(folder: Path) -> Checkpoint:
    """The newest readable checkpoint of a run, falling back to the best.

    Raises:
        UserError: no checkpoint can be read.
    """
    candidates: list[tuple[int | None, Path]] = [*_numbered(folder / "checkpoints")]
    best = folder / "checkpoints" / "best.npz"
    if best.exists():
        candidates.append((None, best))
    for left, (step, path) in zip(reversed(range(len(candidates))), candidates, strict=True):
        try:
            return _read(path, step)
        except UserError as error:
            _log.warning("%s%s", error, "; using the one before it" if left else "")
    if candidates:
        raise UserError(f"{folder} has no readable checkpoint: nothing to resume")
    raise UserError(f"{folder} ended before its first checkpoint: remove it and start again")


def _read(path: Path, step: int | None) -> Checkpoint:
    """Reads a checkpoint, which must be of this step if one is given."""
    arrays, about, _ = load_arrays(path)
    require_checkpoint(path, about)
    if step not in (None, about["step"]):
        raise UserError(f"{path}: it contains step {about['step']}")
    return Checkpoint(path, arrays, about)


def _validation_of(best: Path, run: Mapping[str, Any]) -> float | None:
    """The validation accuracy of this run's best checkpoint; None without one."""
    if not best.exists():
        return None
    try:
        about = _read(best, None).about
        settings = ({**metadata["settings"], "steps": 0} for metadata in (about, run))
        saved, current = (json.loads(json.dumps(one)) for one in settings)  # as from a file
        if (saved, about.get("data_sha256")) != (current, run["data_sha256"]):
            raise UserError(f"{best}: from another run")
        return about["validation"]
    except UserError as error:
        _log.warning("%s; it will be replaced", error)
        return None


def _warn_of_other_arithmetic(start: Checkpoint, now: Mapping[str, Any]) -> None:
    for name, value in start.about.get("arithmetic", {}).items():
        if now.get(name) != value:
            _log.warning(
                "%s was %s and is now %s: results may differ from those of an uninterrupted run",
                name, value, now.get(name),
            )  # fmt: skip


def _difference(key: str, saved: Any, now: Any) -> str:
    """What has changed; of SHA-256 by split the first that differs, in short."""
    if key == "data_sha256" and isinstance(saved, dict) and saved.keys() == now.keys():
        name = next(name for name in now if saved[name] != now[name])
        digests = f"SHA-256 {now[name][:12]}, was {saved[name][:12]}"
        return f"the images or labels of {name} have changed since the run began ({digests})"
    return f"{key.replace('_', ' ')} changed from {saved} to {now}"


def _numbered(folder: Path) -> list[tuple[int, Path]]:
    """The checkpoints by step, newest first."""
    files = ((_NAME.fullmatch(path.name), path) for path in folder.glob("step-*.npz"))
    return sorted(((int(name[1]), path) for name, path in files if name), reverse=True)


def resumed_settings(folder: Path, checkpoint: Checkpoint, steps: int | None) -> Settings:
    """Returns a checkpoint's settings, with this number of steps in total if given.

    Raises:
        UserError: the folder's settings are not the checkpoint's, or the run cannot have this
            number of steps.
    """
    _require_same_run(folder, checkpoint)
    settings, done = Settings.from_json(checkpoint.about["settings"]), checkpoint.about["step"]
    if steps is None or steps == settings.steps:
        return settings
    if settings.schedule != "constant":
        schedule = f"the {settings.schedule} schedule"
        raise UserError(f"steps: {schedule} is set for {settings.steps:,} steps")
    if steps < done:
        raise UserError(f"steps must be at least the {done:,} done, got {steps}")
    return dataclasses.replace(settings, steps=steps)


def _require_same_run(folder: Path, checkpoint: Checkpoint) -> None:
    """Rejects a checkpoint whose settings, except for the steps, differ from the folder's."""
    path = folder / "config.json"
    try:
        config = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return  # it will be rewritten
    current, saved = map(_in_this_format, (config, checkpoint.about["settings"]))
    names = (name for name in {**saved, **current} if name != "steps")
    name = next((name for name in names if current.get(name) != saved.get(name)), None)
    if name is not None:
        problem = f"{name} is {saved.get(name)}, {path} has {current.get(name)}"
        raise UserError(f"{checkpoint.path}: from another run: {problem}")


def _in_this_format(config: dict[str, Any]) -> dict[str, Any]:
    """Settings of this or an earlier version in the current format; anything else as it is."""
    try:
        return Settings.from_json(config).to_json()
    except UserError:
        return config
