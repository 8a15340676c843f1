"""Files that a command is given: whether they are there, or can be written."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ffnn_jax.config import Refusal


def model_file(run: Path) -> Path:
    """The model file of a run.

    Raises:
        Refusal: there is none.
    """
    file = run / "model.npz" if run.is_dir() else run
    if not file.exists():
        raise Refusal(f"{file}: no such file; RUN is a folder that train left, or its model.npz")
    return file


def require_apart(**files: str | Path | None) -> None:
    """Refuses one file for two options: the second would replace the first."""
    taken: dict[str, str] = {}
    for option, file in files.items():
        if file is None:
            continue
        where = "-" if str(file) == "-" else str(Path(file).absolute())
        if where in taken:
            raise Refusal(f"{taken[where]} and {option} must be two files, got {file} for both")
        taken[where] = option


def require_writable(file: str | Path | None) -> None:
    """Refuses a file that has no folder to stand in, before the work is done."""
    if file is None or str(file) == "-":
        return
    folder = Path(file).absolute().parent
    if not folder.is_dir():
        raise Refusal(f"{file} cannot be written: no folder {folder}")


@contextlib.contextmanager
def writing(option: str, *errors: type[Exception]) -> Iterator[None]:
    """Turns an OSError, and any other error named, into one line about the option's file.

    Raises:
        Refusal: the file could not be written.
    """
    try:
        yield
    except (OSError, *errors) as error:
        raise Refusal(f"{option} cannot be written: {error}") from None
