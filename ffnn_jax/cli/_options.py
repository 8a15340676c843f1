"""Options shared by several commands, parsers of their values, and checks of files they name."""

import contextlib
import itertools
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.constructors import PrimitiveConstructorSpec

from ffnn_jax.config import UserError


def shown(metavar: str | None, hint: str, help: str | None = None) -> Any:
    """How ``--help`` shows an option; the hint states its default."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=hint, help=help)


_TFDS_FOLDER = "(default: TFDS_DATA_DIR, or ~/tensorflow_datasets)"
FILE = shown("FILE", "(optional)")
Flag = Annotated[tyro.conf.FlagCreatePairsOff[bool], shown(None, "(default: no)")]
PresetName = Annotated[tyro.conf.Positional[str], shown("PRESET", "(default: quickstart)")]
RunFolder = Annotated[
    tyro.conf.Positional[Path],
    tyro.conf.arg(metavar="RUN", help="Run folder written by train, or its model.npz."),
]
ModelIndex = Annotated[
    int | None, shown("K", "(default: the best by validation)", "Index of the run's model, from 0.")
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


def option(nargs: Any, metavar: str, read: Callable[[list[str]], Any]) -> Any:
    """An option that takes its words literally: None is an ordinary word."""
    return PrimitiveConstructorSpec(
        nargs=nargs, metavar=metavar, instance_from_str=read, is_instance=lambda value: True,
        str_from_instance=lambda value: [str(value)],
    )  # fmt: skip


def model_file(run: Path) -> Path:
    """The model file of a run."""
    file = run / "model.npz" if run.is_dir() else run
    if not file.exists() and (run / "checkpoints").is_dir():
        command = f"ffnn-jax train --resume {shlex.quote(str(run))}"
        raise UserError(f"{run}: a run that did not finish; resume it with: {command}")
    if not file.exists():
        raise UserError(f"{file}: no such file; RUN is a folder that train left, or its model.npz")
    return file


def require_apart(**files: str | Path | None) -> None:
    """Rejects the same file for two options: the second would overwrite the first."""
    paths = {option: Path(file).absolute() for option, file in files.items() if file is not None}
    for one, other in itertools.combinations(paths, 2):
        if paths[one] == paths[other]:
            raise UserError(f"{one} and {other} must be two files, got {files[other]} for both")


def require_writable(*files: str | Path | None) -> None:
    """Rejects a file whose folder does not exist, before any work is done; "-" is in this one."""
    for file in filter(None, files):
        folder = Path(file).absolute().parent
        if not folder.is_dir():
            raise UserError(f"{file} cannot be written: no folder {folder}")


@contextlib.contextmanager
def writing(option: str, *errors: type[Exception]) -> Iterator[None]:
    """Turns an OSError, or another given error, into a UserError about the option's file."""
    try:
        yield
    except (OSError, *errors) as error:
        raise UserError(f"{option} cannot be written: {error}") from None
