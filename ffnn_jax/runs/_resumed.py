"""The settings that a run is resumed with: its own, and perhaps more steps."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from ffnn_jax.config import Refusal, Settings
from ffnn_jax.runs._checkpoints import Saved


def resumed_settings(folder: Path, saved: Saved, steps: int | None) -> Settings:
    """The settings of a checkpoint, with as many steps as are asked for now.

    Args:
        folder: of the run.
        saved: its checkpoint.
        steps: of the whole run; as many as it had if not given.

    Raises:
        Refusal: the folder's settings are not the checkpoint's, or the run cannot have so many
            steps.
    """
    _require_of_this_run(folder, saved)
    return _prolonged(Settings.from_json(saved.about["settings"]), saved, steps)


def _require_of_this_run(folder: Path, saved: Saved) -> None:
    """Refuses a checkpoint whose settings, but for the steps, are not those in the folder."""
    try:
        config = dict(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return  # it is written anew
    here, there = _as_this_version_says(config), saved.about["settings"]
    names = (name for name in {**there, **here} if name != "steps")
    name = next((name for name in names if here.get(name) != there.get(name)), None)
    if name is not None:
        raise Refusal(
            f"{saved.path}: of another run: {name} is {there.get(name)}, "
            f"{folder / 'config.json'} has {here.get(name)}"
        )


def _as_this_version_says(config: dict[str, Any]) -> dict[str, Any]:
    """Settings of this or an earlier version; what is neither stays as it is."""
    try:
        return Settings.from_json(config).to_json()
    except Refusal:
        return config


def _prolonged(settings: Settings, saved: Saved, steps: int | None) -> Settings:
    """The settings of the run, with as many steps as are asked for now."""
    if steps is None or steps == settings.steps:
        return settings
    if settings.schedule != "constant":
        raise Refusal(f"steps: the {settings.schedule} schedule was made for {settings.steps:,}")
    if steps < saved.about["step"]:
        raise Refusal(f"steps must be at least the {saved.about['step']:,} done, got {steps}")
    return dataclasses.replace(settings, steps=steps)
