"""``ffnn-jax train``."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.constructors import PrimitiveConstructorSpec

from ffnn_jax.cli._augmentations import augmentations_of
from ffnn_jax.config import Refusal, Settings, preset, require_grain

_PRESETS_OWN = "(default: the preset's)"


def _number(kind: type[int] | type[float], words: str, metavar: str) -> Any:
    """Reads a number of this kind, and says what it must be in these words."""

    def read(given: list[str]) -> int | float:
        try:
            return kind(given[0])
        except ValueError:
            raise ValueError(f"must be {words}, got {given[0]!r}") from None

    return _option(1, metavar, read)


def _option(nargs: Any, metavar: str, read: Callable[[list[str]], Any]) -> Any:
    """Reads what was given as it stands: None is a word like any other."""
    return PrimitiveConstructorSpec(
        nargs=nargs,
        metavar=metavar,
        instance_from_str=read,
        is_instance=lambda value: True,
        str_from_instance=lambda value: [str(value)],
    )


_OPTIONAL = tyro.conf.arg(help_behavior_hint=_PRESETS_OWN)
Whole = Annotated[int | None, _OPTIONAL, _number(int, "a whole number", "N")]
Number = Annotated[float | None, _OPTIONAL, _number(float, "a number", "F")]
Name = Annotated[str | None, _OPTIONAL, _option(1, "NAME", lambda given: given[0])]
Words = Annotated[tuple[str, ...] | None, _OPTIONAL, _option("*", "[WORD ...]", tuple)]


@dataclasses.dataclass(frozen=True)
class Train:
    """Train a preset's network, test it, and leave a run folder.

    Presets: quickstart (the report's MNIST network on 5,000 digits that are installed with the
    package, a few seconds), mnist (the same on all of MNIST), and the report's models of Table 3,
    cifar10-0 to cifar10-5, cifar10-6a, cifar10-6b, cifar10-7 and cifar10-final.

    Augmentations: flip (left and right), crop:4 (a cut out of the image padded by 4 reflected
    pixels) and cutout:8 (a square of 8 by 8 hidden); these are their numbers if none are given.

    Example: ffnn-jax train quickstart --steps 1000 --seeds 4
    """

    preset: Annotated[
        tyro.conf.Positional[str],
        tyro.conf.arg(metavar="PRESET", help_behavior_hint="(default: quickstart)"),
    ] = "quickstart"
    """Network, data set and schedule."""

    dataset: Name = None
    """Another data set, by its name in tensorflow-datasets. The last dense layer then gives one
    output a class, and at most a fifth of the training images are held out."""

    held_out: Whole = None
    """Training images for validation, where the data set has no validation split."""

    steps: Whole = None
    """Updates of the parameters, at least 1."""

    batch_size: Whole = None
    """Images an update, from 1 to the number of training images."""

    learning_rate: Number = None
    """Step length alpha of equation (25), above 0."""

    schedule: Name = None
    """The learning rate stays, or rises to it in a fifth of the steps and falls to 0: constant,
    triangular."""

    momentum: Number = None
    """Smoothness mu of equation (24), from 0 to below 1."""

    weight_decay: Number = None
    """Decay lambda of equation (25), at least 0."""

    normalisation: Name = None
    """Subtract one mean or each channel's, or divide too: mean, channel-mean, channel-mean-sd."""

    augment: Words = None
    """Random changes to training images, as in flip crop:4 cutout:8; no word for no change."""

    seed: Whole = None
    """Decides the split, the initialisation, the batches and their augmentation."""

    seeds: Whole = None
    """Networks to train together, from SEED on: SEED, SEED + 1, ..."""

    streaming: Annotated[
        tyro.conf.FlagCreatePairsOff[bool],
        tyro.conf.arg(help_behavior_hint="(default: if they would take half its memory)"),
    ] = False
    """Leave the images on the host and send each batch to the device ahead of its use: the same
    batches. Needs the extra "streaming"."""

    dry_run: Annotated[
        tyro.conf.FlagCreatePairsOff[bool], tyro.conf.arg(help_behavior_hint="(default: no)")
    ] = False
    """One step of one seed through everything, from the data to the page; nothing is left."""

    run_dir: Annotated[
        Path | None,
        tyro.conf.arg(metavar="DIR", help_behavior_hint="(default: runs/PRESET-NUMBER)"),
    ] = None
    """Folder for the results, which must not exist yet."""

    def __call__(self) -> int:
        """Runs the command; jax is imported once the settings are found good."""
        settings = self.settings()
        if self.run_dir is not None and self.run_dir.exists():
            raise Refusal(f"run-dir must not exist yet, {self.run_dir} does")
        if self.streaming:
            require_grain()

        from ffnn_jax.cli._run import dry_run_and_print, run_and_print

        if self.dry_run:
            dry_run_and_print(settings, self.streaming or None)
        else:
            run_and_print(settings, self.run_dir, self.streaming or None)
        return 0

    def settings(self) -> Settings:
        """The preset's settings with what was asked for in their place."""
        asked = {name: value for name, value in vars(self).items() if value is not None}
        for of_the_command in ("dry_run", "run_dir", "streaming"):
            asked.pop(of_the_command, None)
        if self.augment is not None:
            asked["augmentations"] = augmentations_of(asked.pop("augment"))
        return dataclasses.replace(preset(asked.pop("preset")), **asked)
