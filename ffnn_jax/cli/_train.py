"""``ffnn-jax train``."""

import dataclasses
import os
from pathlib import Path
from typing import Annotated, Any

import tyro

from ffnn_jax.cli._augmentations import augmentations_of
from ffnn_jax.cli._options import Flag, PresetName, number, option, shown
from ffnn_jax.cli._signals import exit_on_signals, run_with_signals
from ffnn_jax.config import Settings, UserError, Validation, preset, require_grain


def _presets_own(setting: str) -> Any:
    """What the option is if it is not given, by the example of quickstart."""
    value = getattr(preset("quickstart"), setting)
    of_quickstart = f"{value or 'none'}" if isinstance(value, tuple) else f"{value}"
    return shown(None, f"(default: the preset's; quickstart: {of_quickstart})")


_OF_THE_COMMAND = (
    "checkpoint_every", "debug_nans", "dry_run", "no_cache", "resume", "run_dir", "streaming",
)  # fmt: skip
_OF_A_RESUMED = ("resume", "steps", "streaming", "no_cache", "checkpoint_every", "debug_nans")
_WHOLE = number(int, "an integer", "N")
_NUMBER = number(float, "a number", "F")
_VALIDATION = option(1, "KIND:N", lambda given: given[0])
_NAME = option(1, "NAME", lambda given: given[0])
_WORDS = option("*", "[WORD ...]", tuple)


@dataclasses.dataclass(frozen=True)
class Train:
    """Train a preset's network, test it, and leave a run folder.

    Presets: quickstart (the report's MNIST network on 5,000 digits that are installed with the
    package, a few seconds), mnist (the same on all of MNIST), and the report's models of Table 3,
    cifar10-0 to cifar10-5, cifar10-6a, cifar10-6b, cifar10-7 and cifar10-final.

    Another data set than the preset's gets a last dense layer of one output a class, and at most a
    fifth of its training images are for validation.

    Augmentations: flip (left and right), crop:4 (a cut out of the image padded by 4 reflected
    pixels) and cutout:8 (a square of 8 by 8 hidden); these are their numbers if none are given.

    Example: ffnn-jax train quickstart --steps 1000 --seeds 4
    """

    preset: PresetName = "quickstart"
    """Network, data set and schedule."""

    dataset: Annotated[str | None, _NAME, _presets_own("dataset")] = None
    """Another data set, by its name in tensorflow-datasets, as in fashion_mnist."""

    validation: Annotated[str | None, _VALIDATION, _presets_own("validation")] = None
    """Training images for validation where no split is for it: drawn:500, last:500 or none."""

    sampling: Annotated[str | None, _NAME, _presets_own("sampling")] = None
    """Batches: independent, epochs, or epochs-partial, which keeps an epoch's last, smaller one."""

    steps: Annotated[int | None, _WHOLE, _presets_own("steps")] = None
    """Updates of the parameters, at least 1, as in 5000."""

    batch_size: Annotated[int | None, _WHOLE, _presets_own("batch_size")] = None
    """Images an update, from 1 to all that are trained on, as in 64."""

    learning_rate: Annotated[float | None, _NUMBER, _presets_own("learning_rate")] = None
    """Step length alpha of equation (25), above 0, as in 0.05."""

    schedule: Annotated[str | None, _NAME, _presets_own("schedule")] = None
    """Learning rate: constant, or triangular (up in a fifth of the steps, then down to 0)."""

    momentum: Annotated[float | None, _NUMBER, _presets_own("momentum")] = None
    """Smoothness mu of equation (24), at least 0 and below 1, as in 0.95."""

    weight_decay: Annotated[float | None, _NUMBER, _presets_own("weight_decay")] = None
    """Decay lambda of equation (25), at least 0, as in 0.001."""

    precision: Annotated[str | None, _NAME, _presets_own("precision")] = None
    """Of what layers compute in training: float32, or bf16 (sums and parameters in float32)."""

    normalisation: Annotated[str | None, _NAME, _presets_own("normalisation")] = None
    """Subtract one mean or each channel's, or divide too: mean, channel-mean, channel-mean-sd."""

    augment: Annotated[tuple[str, ...] | None, _WORDS, _presets_own("augmentations")] = None
    """Random changes to training images, as in flip crop:4 cutout:8; no word for no change."""

    seed: Annotated[int | None, _WHOLE, _presets_own("seed")] = None
    """Decides split, start, batches and augmentation; from 0 to 2147483647, as in 7."""

    seeds: Annotated[int | None, _WHOLE, _presets_own("seeds")] = None
    """Networks to train together: SEED, SEED + 1, ...; from 1 to 10000, as in 20."""

    streaming: Annotated[
        tyro.conf.FlagCreatePairsOff[bool],
        shown(None, "(default: if they would take half its memory)"),
    ] = False
    """Leave the images on the host, send each batch ahead; needs the extra "streaming"."""

    no_cache: Flag = False
    """Compile anew, and keep no compiled programs in the user's cache folder."""

    checkpoint_every: Annotated[
        int | None, _WHOLE, shown(None, "(default: 1000, or what a resumed run had)")
    ] = None
    """Steps between two checkpoints in the run's folder, at least 1, as in 500."""

    resume: Annotated[Path | None, shown("RUN", "(optional)")] = None
    """Go on with the run in this folder, as if it had not ended; --steps alone may be another."""

    debug_nans: Flag = False
    """Where a number is not finite, name the operation that made it, too."""

    dry_run: Flag = False
    """One step of one seed through everything, from the data to the page; nothing is left."""

    run_dir: Annotated[Path | None, shown("DIR", "(default: runs/PRESET-NUMBER)")] = None
    """Folder for the results, which must not exist yet, as in runs/first."""

    def __call__(self) -> int:
        """Runs the command; jax is imported once the settings are found good."""
        if self.checkpoint_every is not None and self.checkpoint_every < 1:
            raise UserError(f"checkpoint-every must be at least 1, got {self.checkpoint_every}")
        if self.resume is not None:
            self._require_resumable(self.resume)
        settings = self.settings()
        if self.run_dir is not None and os.path.lexists(self.run_dir):
            raise UserError(f"run-dir must not exist yet, {self.run_dir} does")
        if self.streaming:
            require_grain()

        with exit_on_signals():  # Python would lose an interruption in the middle of an import
            self._run(settings)
        return 0

    def _run(self, settings: Settings) -> None:
        from ffnn_jax.cli._train_run import (
            RunOptions,
            dry_run_and_print,
            resume_and_print,
            run_and_print,
        )
        from ffnn_jax.runs import enable_compilation_cache

        if not self.no_cache:
            enable_compilation_cache()
        kept = [name for name, value in vars(self).items() if value is not None]
        way = RunOptions(self.streaming or None, self.checkpoint_every, self.debug_nans)
        if self.resume is not None:
            run_with_signals(way.stop, resume_and_print, self.resume, self.steps, way)
        elif self.dry_run:
            run_with_signals(way.stop, dry_run_and_print, settings, kept, way)
        else:
            run_with_signals(way.stop, run_and_print, settings, kept, self.run_dir, way)

    def _require_resumable(self, folder: Path) -> None:
        """Rejects settings of the user's beside those of the run, and what is no run."""
        fresh = Train()
        for name, value in vars(self).items():
            if name not in _OF_A_RESUMED and value != getattr(fresh, name):
                given = name.replace("_", "-")
                raise UserError(f"{given}: a run is resumed with its own; only --steps may change")
        if not (folder / "checkpoints").is_dir():
            raise UserError(f"{folder}: no run that can be resumed (it has no checkpoints)")

    def settings(self) -> Settings:
        """The preset's settings with what was asked for in their place."""
        asked = {name: value for name, value in vars(self).items() if value is not None}
        for of_the_command in _OF_THE_COMMAND:
            asked.pop(of_the_command, None)
        if self.augment is not None:
            asked["augmentations"] = augmentations_of(asked.pop("augment"))
        if self.validation is not None:
            asked["validation"] = Validation.parse(self.validation)
        return dataclasses.replace(preset(asked.pop("preset")), **asked)
