"""``ffnn-jax tune``."""

import dataclasses
from pathlib import Path
from typing import Annotated

from ffnn_jax._errors import StopRequest
from ffnn_jax._signals import exit_on_signals, run_with_signals
from ffnn_jax.cli._files import require_writable
from ffnn_jax.cli._options import FILE, DataDir, PresetName, number, shown
from ffnn_jax.config import UserError, named_settings

_STEPS = number(int, "an integer", "N")


@dataclasses.dataclass(frozen=True)
class Tune:
    """Find a learning rate, judged by validation images alone.

    Example: ffnn-jax tune my.toml --steps 100
    """

    preset: PresetName = "quickstart"
    """Preset, settings file (.toml), or folder of a run."""

    steps: Annotated[int, _STEPS] = 200
    """Steps of the range test, and of each of the seven trials that follow; at least 20."""

    seed: Annotated[int | None, _STEPS, shown(None, "(default: the preset's)")] = None
    """Seed of split, initialisation, batches and augmentation."""

    run_dir: Annotated[Path | None, shown("DIR", "(default: runs/tune-PRESET-NUMBER)")] = None
    """Folder for what was tried and settings for train, which must not exist yet."""

    data_dir: DataDir = None

    json: Annotated[str | None, FILE] = None
    """Write the suggestion and what was tried to FILE as JSON; - for standard output."""

    def __call__(self) -> int:
        """Runs the command; jax is imported only once the arguments are known to be valid."""
        if self.steps < 20:
            raise UserError(f"steps must be at least 20, got {self.steps}")
        named = named_settings(self.preset).overridden({"seed": self.seed})
        require_writable(self.json)
        with exit_on_signals():
            from ffnn_jax.cli._tune_run import tune_and_print
        run_with_signals(StopRequest(), tune_and_print, named, self)
        return 0
