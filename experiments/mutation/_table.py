"""The table of faults by room, and the faults that are named as equivalent."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from experiments.mutation._fault import room_of

_NAMED = Path(__file__).with_name("equivalents.json")
_COLUMNS = ("tried", "found", "equivalent", "survived")


def equivalents(path: Path = _NAMED) -> dict[tuple[str, str, str], str]:
    """Reasons by fault, which its file and its lines before and after name."""
    named = json.loads(path.read_text(encoding="utf-8"))
    return {(fault["file"], fault["before"], fault["after"]): fault["reason"] for fault in named}


def mutation_table(
    rows: Iterable[Mapping[str, Any]], named: Mapping[tuple[str, str, str], str]
) -> str:
    """A Markdown table with one line per room, and those that survived below it."""
    counts, left = Counter[tuple[str, str]](), []
    for row in rows:
        said = outcome(row, named)
        for room in (room_of(row["file"]), "all"):
            counts[room, "tried"] += 1
            counts[room, said] += 1
        if said == "survived":
            left.append(f"- {row['file']}:{row['line']}: `{row['before']}` -> `{row['after']}`")
    rooms = [*sorted({room for room, _ in counts} - {"all"}), "all"]
    lines = [f"| room | {' | '.join(_COLUMNS)} | found, % |", f"| --- |{' ---: |' * 5}"]
    for room in rooms:
        tried, found, equivalent, survived = (counts[room, column] for column in _COLUMNS)
        share = f"{100 * found / max(found + survived, 1):.1f}"
        lines.append(f"| {room} | {tried} | {found} | {equivalent} | {survived} | {share} |")
    return "\n".join([*lines, "", *left])


def outcome(row: Mapping[str, Any], named: Mapping[tuple[str, str, str], str]) -> str:
    """One of "found", "equivalent" and "survived"; what takes too long is found."""
    if row["verdict"] != "survived":
        return "found"
    return "equivalent" if (row["file"], row["before"], row["after"]) in named else "survived"
