"""Checks of the files named on the command line."""

import contextlib
import itertools
import shlex
from collections.abc import Iterator
from pathlib import Path

from ffnn_jax.config import UserError, suggestion


def model_file(run: Path) -> Path:
    """The model file of a run."""
    file = run / "model.npz" if run.is_dir() else run
    if not file.exists() and any(run.glob("checkpoints/*.npz")):
        command = f"ffnn-jax train --resume {shlex.quote(str(run))}"
        raise UserError(f"{run}: a run that did not finish; resume it with: {command}")
    if not file.exists():
        near = f": did you mean {Path('runs', run)}?" * Path("runs", run).exists()
        known = "RUN is a folder that train left, or its model.npz"
        raise UserError(f"{file}: no such file; {known}{near}")
    return file


def run_folders() -> list[Path]:
    """The folders in runs/ that hold a run, the newest first."""
    found = [path for path in Path("runs").glob("[!.]*/config.json") if path.is_file()]
    found.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    return [path.parent for path in found]


def run_folder(word: str) -> Path:
    """A run's folder, named by its path or by its name in runs/."""
    for folder in (Path(word), Path("runs", word)):
        if (folder / "config.json").is_file():
            return folder
    if Path(word).exists() or Path("runs", word).exists():
        raise UserError(f"{word}: not the folder of a run (it has no config.json)")
    near = suggestion(Path(word).name, [folder.name for folder in run_folders()])
    raise UserError(f"{word}: no such run, neither here nor in runs/{near}")


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
