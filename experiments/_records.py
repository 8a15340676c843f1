"""Finished seeds as lines of a JSON-lines file; a line that was cut off costs that seed alone."""

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ffnn_jax.config import UserError

Record = dict[str, Any]
"""What is stored of a seed."""


def read_records(path: Path) -> list[Record]:
    """The stored seeds; a last line that was cut off is left out.

    Raises:
        UserError: another line is damaged, or a seed is stored twice.
    """
    if not path.exists():
        return []
    *lines, _ = path.read_text(encoding="utf-8").split("\n")
    records = [_record(path, number, line) for number, line in enumerate(lines, start=1)]
    found = set()
    for number, record in enumerate(records, start=1):
        key = record["row"], record["seed"]
        if key in found:
            raise UserError(f"{path}, line {number}: seed {key[1]} of {key[0]!r} is stored twice")
        found.add(key)
    return records


def seeds_of(records: Iterable[Record], row: str) -> list[Record]:
    """The stored seeds of a row, in the order of the seeds."""
    return sorted((r for r in records if r["row"] == row), key=lambda record: record["seed"])


def seeds_of_model_3(path: Path, fewest: int) -> list[Record]:
    """The stored seeds of model 3.

    Raises:
        UserError: they are fewer than are needed.
    """
    found = seeds_of(read_records(path), "3")
    if len(found) < fewest:
        raise UserError(f"model 3 has {len(found)} stored seeds, needs {fewest}: run table_3 first")
    return found


def append(path: Path, record: Record) -> None:
    """Adds a seed as one line; what a killed process left of a line is removed first."""
    with path.open("ab+") as file:
        file.seek(0)
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)
        file.write(json.dumps(record).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Keeps a second sweep away from the file."""
    lock = FileLock(path.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"{path} is being written by another sweep") from None
    try:
        yield
    finally:
        lock.release()


def _record(path: Path, number: int, line: str) -> Record:
    try:
        record = json.loads(line)
        return record | {"row": record["row"], "seed": record["seed"]}
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path}, line {number}: damaged ({error}): remove the line") from None
