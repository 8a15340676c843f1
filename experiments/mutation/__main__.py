"""Faults planted in the package one at a time, and the tests that find them.

Ours: results/mutation.json, and the table by room that this prints.
Time: about three hours of two cores.
Command: python -m experiments.mutation
Quick: python -m experiments.mutation --quick, a handful of faults in one room, to runs/quick.

The tool is cosmic-ray (``pip install -r experiments/mutation/requirements.txt``): of its operators,
those that change a number, a comparison, an arithmetic or set operation, a condition, ``and`` or
``or``, True or False, a sign, ``break`` or ``continue``, a loop into none, an exception caught, and
a decorator. Faults are drawn with a fixed seed everywhere outside ``layers`` and ``catalogue``,
rooms by their lines, at most one of a kind at a place. Left out as noise: annotations and other
types, ``assert``, and the keywords strict, slots, frozen and kw_only, which change nothing unless
there is another fault; no operator changes a text or a docstring.

Which tests run which line is measured once, in the tests' children too. With each fault run the
fastest tests that cover the line in the test file that mirrors the source, then all of that file,
then at most 40 others that cover the line and 40 of the mirrored folder, fastest first, up to the
first failure. A fault is found if a test fails that passes without it, or takes several times as
long. Results are stored as they come, and those stored are not tried again, unless ``--again
survivors`` asks for it: faults are known by their lines before and after, and those whose lines are
gone are dropped. Equivalent faults change nothing that matters; equivalents.json names each with
its reason. Each copy has a home and a temporary folder of its own: a fault may delete files.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from experiments._machine import provenance
from experiments._results import folder_for, read_result, run_command, write_result
from experiments.mutation._covering import Covering, store, stored
from experiments.mutation._fault import Fault, Key
from experiments.mutation._faults import found_again, sample
from experiments.mutation._measure import measured
from experiments.mutation._table import equivalents, mutation_table
from experiments.mutation._trial import try_all

ROOT = Path(__file__).parents[2]
_SEED = 20
_QUICK = ("optim",)
_FOLDERS = (
    "config", "nn", "optim", "network", "training", "models", "reporting", "verify", "data", "runs",
    "cli", "faults",
)  # fmt: skip


def main(
    count: int = 420, again: Literal["none", "survivors"] = "none", workers: int = 2,
    measure: bool = False, quick: bool = False,
) -> None:  # fmt: skip
    """Faults planted in the package one at a time, and the tests that find them.

    Args:
        count: how many faults to draw.
        again: stored faults to try again.
        workers: how many copies of the project are tried at a time.
        measure: measure again which tests run which line.
        quick: only a handful of faults, in the room ``optim``.
    """
    path = folder_for(quick) / "mutation.json"
    rows = _stored_rows(path) if not quick else {}
    if again == "survivors":
        survivors = [_fault(row) for row in rows.values() if row["verdict"] == "survived"]
        faults = found_again(ROOT, survivors)
        gone = {fault.key for fault in survivors} - {fault.key for fault in faults}
        rows = {key: row for key, row in rows.items() if key not in gone}
    else:
        drawn = [f for f in sample(ROOT, count, _SEED) if f.room == "optim" or not quick]
        rows = {fault.key: rows[fault.key] for fault in drawn if fault.key in rows}
        faults = [fault for fault in drawn if fault.key not in rows]

    def done(fault: Fault, answer: Mapping[str, Any]) -> None:
        rows[fault.key] = row = {**dataclasses.asdict(fault), **answer}
        print(*(row[key] for key in ("verdict", "file", "line", "operator", "test")), flush=True)
        write_result(path, {**provenance(quick), "faults": list(rows.values())})

    try_all(ROOT, faults, _covering(quick, measure), workers, done)
    print(mutation_table(rows.values(), equivalents()))


def _covering(quick: bool, measure: bool) -> Covering:
    """Which tests run which line: as stored, or measured."""
    path = Path("runs") / ("quick" if quick else "") / "mutation_covering.json"
    if measure or not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        folders = [f"tests/{name}" for name in (_QUICK if quick else _FOLDERS)]
        if not quick:
            folders += [f"tests/{path.name}" for path in (ROOT / "tests").glob("test_*.py")]
        store(path, measured(ROOT, folders))
    return stored(path)


def _stored_rows(path: Path) -> dict[Key, dict[str, Any]]:
    rows = read_result(path)["faults"] if path.exists() else []
    return {_fault(row).key: row for row in rows}


def _fault(row: Mapping[str, Any]) -> Fault:
    return Fault(**{field.name: row[field.name] for field in dataclasses.fields(Fault)})


if __name__ == "__main__":
    run_command(main)
