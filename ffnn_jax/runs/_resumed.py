"""The settings that a run is resumed with: its own, and perhaps more steps."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from ffnn_jax.config import Settings, UserError
from ffnn_jax.runs._checkpoints import Checkpoint


def resumed_settings(folder: Path, checkpoint: Checkpoint, steps: int | None) -> Settings:
    """The settings of a checkpoint, with as many steps as are asked for now.

    Args:
        folder: of the run.
        checkpoint: its checkpoint.
        steps: of the whole run; as many as it had if not given.

    Raises:
        UserError: the folder's settings are not the checkpoint's, or the run cannot have so many
            steps.
    """
    _require_of_this_run(folder, checkpoint)
    return _prolonged(Settings.from_json(checkpoint.about["settings"]), checkpoint, steps)


def _require_of_this_run(folder: Path, checkpoint: Checkpoint) -> None:
    """Rejects a checkpoint whose settings, but for the steps, are not those in the folder."""
    try:
        config = dict(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return  # it is written anew
    here, there = _as_this_version_says(config), checkpoint.about["settings"]
    names = (name for name in {**there, **here} if name != "steps")
    name = next((name for name in names if here.get(name) != there.get(name)), None)
    if name is not None:
        raise UserError(
            f"{checkpoint.path}: of another run: {name} is {there.get(name)}, "
            f"{folder / 'config.json'} has {here.get(name)}"
        )


def _as_this_version_says(config: dict[str, Any]) -> dict[str, Any]:
    """Settings of this or an earlier version; what is neither stays as it is."""
    try:
        return Settings.from_json(config).to_json()
    except UserError:
        return config


def _prolonged(settings: Settings, checkpoint: Checkpoint, steps: int | None) -> Settings:
    """The settings of the run, with as many steps as are asked for now."""
    if steps is None or steps == settings.steps:
        return settings
    if settings.schedule != "constant":
        raise UserError(f"steps: the {settings.schedule} schedule was made for {settings.steps:,}")
    if steps < checkpoint.about["step"]:
        raise UserError(
            f"steps must be at least the {checkpoint.about['step']:,} done, got {steps}"
        )
    return dataclasses.replace(settings, steps=steps)
