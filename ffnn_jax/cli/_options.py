"""Options shared by several commands, and parsers of their values."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.constructors import PrimitiveConstructorSpec


def shown(metavar: str | None, hint: str, help: str | None = None) -> Any:
    """How ``--help`` shows an option; the hint states its default."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=hint, help=help)


_TFDS_FOLDER = "(default: TFDS_DATA_DIR, or ~/tensorflow_datasets)"
FILE = shown("FILE", "(optional)")
Flag = Annotated[tyro.conf.FlagCreatePairsOff[bool], shown(None, "(default: no)")]
PresetName = Annotated[tyro.conf.Positional[str], shown("PRESET|FILE|RUN", "(default: quickstart)")]
RunFolder = Annotated[
    tyro.conf.Positional[Path],
    tyro.conf.arg(metavar="RUN", help="Run folder written by train, or its model.npz."),
]
DataDir = Annotated[Path | None, shown("DIR", _TFDS_FOLDER, "Folder of the prepared data sets.")]


def number(kind: type[int] | type[float], description: str, metavar: str) -> Any:
    """A numeric option; the description appears in its error message."""

    def read(words: list[str]) -> int | float:
        try:
            return kind(words[0])
        except ValueError:
            raise ValueError(f"must be {description}, got {words[0]!r}") from None

    return option(1, metavar, read)


def _count_of_devices(words: list[str]) -> int | str:
    if words[0] == "all":
        return "all"
    if words[0].isdecimal() and int(words[0]) > 0:
        return int(words[0])
    raise ValueError(f"must be a number from 1 on, or all, got {words[0]!r}")


def option(nargs: Any, metavar: str, read: Callable[[list[str]], Any]) -> Any:
    """An option that takes its words literally: None is an ordinary word."""
    return PrimitiveConstructorSpec(
        nargs=nargs, metavar=metavar, instance_from_str=read, is_instance=lambda value: True,
        str_from_instance=lambda value: [str(value)],
    )  # fmt: skip


INTEGER = number(int, "an integer", "N")
ModelIndex = Annotated[
    int | None,
    INTEGER,
    shown("K", "(default: the best by validation)", "Index of the run's model, from 0."),
]
Size = Annotated[
    int | None,
    INTEGER,
    shown(None, "(default: their own)", "Own pictures to N x N, from 1 to 4096, as in 32."),
]
SkipDamaged = Annotated[
    tyro.conf.FlagCreatePairsOff[bool],
    shown(None, "(default: no)", "Leave out pictures of your own that cannot be read."),
]
Devices = Annotated[
    int | str,
    option(1, "N|all", _count_of_devices),
    shown(None, "(default: 1)", "Of the GPUs, TPUs or virtual CPUs here, how many to use."),
]
Layers = Annotated[
    str | None, option(1, "LAYERS", lambda words: words[0]), shown(None, "(default: the preset's)")
]
