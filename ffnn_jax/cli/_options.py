"""Options that several commands share, and readers of their values."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.constructors import PrimitiveConstructorSpec


def shown(metavar: str | None, hint: str, help: str | None = None) -> Any:
    """How ``--help`` shows an option; the hint says what holds if it is not given."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=hint, help=help)


_TFDS_FOLDER = "(default: TFDS_DATA_DIR, or ~/tensorflow_datasets)"
FILE = shown("FILE", "(optional)")
Flag = Annotated[tyro.conf.FlagCreatePairsOff[bool], shown(None, "(default: no)")]
PresetName = Annotated[tyro.conf.Positional[str], shown("PRESET", "(default: quickstart)")]
RunFolder = Annotated[
    tyro.conf.Positional[Path],
    tyro.conf.arg(metavar="RUN", help="Folder that train left, or its model.npz."),
]
ModelIndex = Annotated[
    int | None,
    shown("K", "(default: the best by validation)", "Which of the run's models, from 0 on."),
]
DataDir = Annotated[Path | None, shown("DIR", _TFDS_FOLDER, "Folder of the prepared sets.")]


def number(kind: type[int] | type[float], words: str, metavar: str) -> Any:
    """An option that takes a number of this kind; the words say what it must be."""

    def read(given: list[str]) -> int | float:
        try:
            return kind(given[0])
        except ValueError:
            raise ValueError(f"must be {words}, got {given[0]!r}") from None

    return option(1, metavar, read)


def option(nargs: Any, metavar: str, read: Callable[[list[str]], Any]) -> Any:
    """An option that takes its words literally: None is a word like any other."""
    return PrimitiveConstructorSpec(
        nargs=nargs,
        metavar=metavar,
        instance_from_str=read,
        is_instance=lambda value: True,
        str_from_instance=lambda value: [str(value)],
    )
