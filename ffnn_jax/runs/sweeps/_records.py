"""Finished seeds as lines of a JSON-lines file; a truncated line costs only that seed."""

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ffnn_jax.config import UserError

Record = dict[str, Any]
"""The stored record of a seed."""


def read_records(path: Path) -> list[Record]:
    """The stored seeds; a truncated last line is ignored.

    Raises:
        UserError: another line is damaged, or a seed is stored twice.
    """
    if not path.exists():
        return []
    *lines, _ = path.read_text(encoding="utf-8", errors="replace").split("\n")
    records = [_record(path, number, line) for number, line in enumerate(lines, start=1)]
    seen = set()
    for number, record in enumerate(records, start=1):
        key = record["row"], record["seed"]
        if key in seen:
            raise UserError(f"{path}, line {number}: seed {key[1]} of {key[0]!r} is stored twice")
        seen.add(key)
    return records


def seeds_of(records: Iterable[Record], row: str) -> list[Record]:
    """The stored seeds of a row, sorted by seed."""
    return sorted((r for r in records if r["row"] == row), key=lambda record: record["seed"])


def append(path: Path, record: Record) -> None:
    """Appends a seed as one line, after removing a line that a killed process left incomplete."""
    with path.open("ab+") as file:
        file.seek(0)
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)
        file.write(json.dumps(record).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def exclusive_access(path: Path) -> Iterator[None]:
    """Locks the file against a second sweep."""
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
