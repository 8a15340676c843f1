"""Run folders: numbered by default, never one that exists."""

import contextlib
import itertools
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from ffnn_jax.config import UserError

_RUNS = Path("runs")


def new_run_folder(preset: str, folder: Path | None = None) -> Path:
    """Makes the folder of a run.

    Args:
        preset: names the numbered folder, as in runs/mnist-3.
        folder: an explicit one instead.

    Raises:
        UserError: the explicit folder exists, or the folder cannot be made.
    """
    try:
        if folder is not None:
            folder.mkdir(parents=True)
            return folder
        _RUNS.mkdir(exist_ok=True)
        return next(path for path in _numbered(preset) if _made(path))
    except OSError as error:
        if folder is not None and os.path.lexists(folder):
            raise UserError(f"run-dir must not exist yet, {folder} does") from None
        raise UserError(f"run-dir cannot be made: {error}") from None


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other processes out of a run's folder; a lock ends with the process that has it.

    Raises:
        UserError: another process has it; which, and where.
    """
    owner = folder / "owner.json"
    try:
        with FileLock(folder / ".lock", blocking=False):
            who = {"process": os.getpid(), "host": socket.gethostname()}
            owner.write_text(json.dumps(who), encoding="utf-8")
            try:
                yield
            finally:
                owner.unlink(missing_ok=True)
    except Timeout:
        raise UserError(f"{folder} is in use by {_named(owner)}") from None


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Says which file it was where one cannot be written.

    Raises:
        OSError: with the file's name.
    """
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, f"{path} cannot be written: {error.strerror}") from None


def _named(owner: Path) -> str:
    try:
        who = json.loads(owner.read_text(encoding="utf-8"))
        return f"process {who['process']} on {who['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _numbered(preset: str) -> Iterator[Path]:
    """The folders after the highest number taken."""
    taken = [path.name.removeprefix(f"{preset}-") for path in _RUNS.glob(f"{preset}-*")]
    first = max((int(number) for number in taken if number.isdecimal()), default=0) + 1
    return (_RUNS / f"{preset}-{number}" for number in itertools.count(first))


def _made(path: Path) -> bool:
    try:
        path.mkdir()
    except FileExistsError:
        return False
    return True
