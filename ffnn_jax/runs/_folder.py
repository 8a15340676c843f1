"""Run folders: numbered by default, and never an existing one."""

import contextlib
import json
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from ffnn_jax.config import UserError

_RUNS = Path("runs")


def new_run_folder(preset: str, folder: Path | None = None) -> Path:
    """Creates the folder of a run: the explicit one, or a numbered one, as in runs/mnist-3.

    Raises:
        UserError: the explicit folder exists, or the folder cannot be created.
    """
    try:
        if folder is not None:
            folder.mkdir(parents=True)
            return folder
        _RUNS.mkdir(exist_ok=True)
        taken = [path.name.removeprefix(f"{preset}-") for path in _RUNS.glob(f"{preset}-*")]
        number = max((int(number) for number in taken if number.isdecimal()), default=0)
        while True:
            number += 1
            path = _RUNS / f"{preset}-{number}"
            with contextlib.suppress(FileExistsError):
                path.mkdir()
                return path
    except OSError as error:
        if folder is not None and os.path.lexists(folder):
            raise UserError(f"run-dir must not exist yet, {folder} does") from None
        raise UserError(f"run-dir cannot be created: {error}") from None


def dry_run_folder(folder: Path | None = None) -> tempfile.TemporaryDirectory[str]:
    """A folder that is removed after use, where ``new_run_folder`` would make one.

    Raises:
        UserError: no folder can be made there.
    """
    place = (folder or _RUNS).absolute()
    existing = next(path for path in (place, *place.parents) if path.exists())
    try:
        return tempfile.TemporaryDirectory(prefix=".dry-run-", dir=existing)
    except OSError as error:
        raise UserError(f"run-dir cannot be created: {error}") from None


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks a run's folder against other processes; the lock ends with its process.

    Raises:
        UserError: another process holds the lock; the message names it and its host.
    """
    owner = folder / "owner.json"
    try:
        with FileLock(folder / ".lock", blocking=False):
            identity = {"process": os.getpid(), "host": socket.gethostname()}
            with writing(owner):
                owner.write_text(json.dumps(identity), encoding="utf-8")
            try:
                yield
            finally:
                owner.unlink(missing_ok=True)
    except Timeout:
        raise UserError(f"{folder} is in use by {_describe(owner)}") from None


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Names the file in errors raised while writing it.

    Raises:
        OSError: the file cannot be written; the message names it.
    """
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, f"{path} cannot be written: {error.strerror}") from None


def _describe(owner: Path) -> str:
    try:
        identity = json.loads(owner.read_text(encoding="utf-8"))
        return f"process {identity['process']} on {identity['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
