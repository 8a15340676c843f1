"""Files that a command is given: whether they are there, or can be written."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ffnn_jax.config import UserError


def model_file(run: Path) -> Path:
    """The model file of a run.

    Raises:
        UserError: there is none.
    """
    file = run / "model.npz" if run.is_dir() else run
    if not file.exists():
        raise UserError(f"{file}: no such file; RUN is a folder that train left, or its model.npz")
    return file


def require_apart(**files: str | Path | None) -> None:
    """Rejects one file for two options: the second would replace the first."""
    taken: dict[str, str] = {}
    for option, file in files.items():
        if file is None:
            continue
        where = "-" if str(file) == "-" else str(Path(file).absolute())
        if where in taken:
            raise UserError(f"{taken[where]} and {option} must be two files, got {file} for both")
        taken[where] = option


def require_writable(file: str | Path | None) -> None:
    """Rejects a file that has no folder to stand in, before the work is done."""
    if file is None or str(file) == "-":
        return
    folder = Path(file).absolute().parent
    if not folder.is_dir():
        raise UserError(f"{file} cannot be written: no folder {folder}")


@contextlib.contextmanager
def writing(option: str, *errors: type[Exception]) -> Iterator[None]:
    """Turns an OSError, and any other error named, into one line about the option's file.

    Raises:
        UserError: the file could not be written.
    """
    try:
        yield
    except (OSError, *errors) as error:
        raise UserError(f"{option} cannot be written: {error}") from None
