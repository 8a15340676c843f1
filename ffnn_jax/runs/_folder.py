"""A run's folder: numbered by default, never an existing one, locked, and written."""

import contextlib
import json
import os
import socket
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from ffnn_jax.config import Settings, UserError, settings_to_text
from ffnn_jax.models import save
from ffnn_jax.runs._read import require_run
from ffnn_jax.runs._result import RunResult, result_to_json
from ffnn_jax.training import Record

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


def is_in_use(folder: Path) -> bool:
    """Whether a process writes to a run's folder; one of another host is taken to live."""
    try:
        owner = json.loads((folder / "owner.json").read_text(encoding="utf-8"))
        return owner["host"] != socket.gethostname() or psutil.pid_exists(owner["process"])
    except (OSError, ValueError, LookupError, TypeError):
        return False


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Names the file in an OSError raised while writing it."""
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


def write_config(folder: Path, settings: Settings) -> None:
    """Writes the settings, as JSON and as the file that repeats the run, before it starts."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / "config.json", settings.to_json())
    _write(folder / "settings.toml", settings_to_text(settings))


def write_run(folder: str | Path, result: RunResult) -> Path:
    """Writes a run's results to its folder, created if missing, and returns it.

    Figures and Table 1 are of the best model by validation.
    """
    from ffnn_jax.reporting import precision_recall_table, save_figure

    folder = Path(folder)
    write_config(folder, result.settings)
    write_metrics(folder / "metrics.jsonl", result.trained.history)
    _write_json(folder / "result.json", result_to_json(result))
    with writing(folder / "model.npz"):
        save(folder / "model.npz", result.models, result.best)
    for name, figure in result.figures().items():
        for path in (folder / f"{name}.png", folder / f"{name}.svg"):
            with writing(path):
                save_figure(figure, path)
    names = result.splits.test.class_names
    table = precision_recall_table(result.confusions[result.best], names)
    _write(folder / "table_1.md", table)
    _write(folder / "table_2.md", result.models[0].network.summary().to_markdown())
    write_page(folder)
    return folder


def write_metrics(path: Path, history: Iterable[Record], mode: str = "w") -> None:
    """Writes records as lines of JSON, or adds them in mode "a"."""
    with writing(path), path.open(mode, encoding="utf-8", newline="\n") as file:
        file.writelines(f"{json.dumps(record._asdict())}\n" for record in history)


def write_page(folder: Path) -> Path:
    """Writes a run's page from its saved files, and returns the page's path.

    Raises:
        UserError: the folder is not that of a finished run, or a value in its files is impossible.
    """
    from ffnn_jax.reporting import run_page

    require_run(folder)
    _write(folder / "page.html", run_page(folder))
    return folder / "page.html"


def _write_json(path: Path, value: dict[str, Any]) -> None:
    """One key a line, since a confusion matrix of many classes is long."""
    lines = [f"  {json.dumps(key)}: {json.dumps(entry)}" for key, entry in value.items()]
    _write(path, "{\n" + ",\n".join(lines) + "\n}\n")


def _write(path: Path, text: str) -> None:
    with writing(path):
        path.write_bytes(text.encode())
