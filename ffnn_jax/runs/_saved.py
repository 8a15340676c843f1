"""Runs as they are on disk: finished, going on, or stopped on the way."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ffnn_jax.runs._folder import is_in_use
from ffnn_jax.runs._read import read_metrics, read_result, read_settings


@dataclasses.dataclass(frozen=True, eq=False)
class SavedRun:
    """What a run has left so far.

    Attributes:
        name: how it is called beside others.
        state: "finished", "going on", or "stopped".
        history: the records of ``metrics.jsonl``.
        result: the content of ``result.json``; None unless the run is finished.
    """

    name: str
    folder: Path
    state: str
    settings: dict[str, Any]
    history: list[dict[str, Any]]
    result: dict[str, Any] | None

    @property
    def tested_on(self) -> tuple[str, str]:
        """The name of a finished run's test images, and their SHA-256."""
        return list((self.result or {})["data_sha256"].items())[-1]

    def to_json(self) -> dict[str, Any]:
        """How far it is, how good, and at what cost, as JSON types; null where that is open."""
        of_result = (
            "seeds", "test_accuracy", "validation_accuracy", "parameters", "train_seconds",
            "images_per_second", "device",
        )  # fmt: skip
        return {
            "name": self.name, "folder": str(self.folder), "state": self.state,
            "steps": max((record["step"] for record in self.history), default=0),
            "steps_in_all": self.settings["steps"],
            **{key: self.settings[key] for key in ("preset", "dataset")},
            **{key: (self.result or {}).get(key) for key in of_result},
        }  # fmt: skip


def read_runs(folders: Sequence[Path]) -> list[SavedRun]:
    """Reads runs; each is called by its folder, with the path where two would have one name.

    Raises:
        UserError: a folder does not hold a run, or a file of it is damaged.
    """
    names = [folder.resolve().name for folder in folders]
    pairs = zip(names, folders, strict=True)
    return [_read(name if names.count(name) == 1 else str(path), path) for name, path in pairs]


def _read(name: str, folder: Path) -> SavedRun:
    """Reads one run; a finished one that is resumed goes on."""
    settings, result, state = read_settings(folder), None, "stopped"
    if is_in_use(folder):
        state = "going on"
    elif (folder / "result.json").exists():
        result, state = read_result(folder), "finished"
    history = read_metrics(folder, settings.get("seeds", 1))
    return SavedRun(name, folder, state, settings, history, result)
