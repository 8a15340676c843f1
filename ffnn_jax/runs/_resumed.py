"""The settings of a resumed run: unchanged, or with another number of steps."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from ffnn_jax.config import Settings, UserError
from ffnn_jax.runs._checkpoints import Checkpoint


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
