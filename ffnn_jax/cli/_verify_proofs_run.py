"""Proves the layers of this package by algebra, and disproves the planted faults."""

import multiprocessing
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from rich import box
from rich.table import Table

from ffnn_jax import catalogue
from ffnn_jax.catalogue import OpSpec
from ffnn_jax.cli._output import console_beside, show_progress, write_json
from ffnn_jax.cli._verify_layers_run import select_specs
from ffnn_jax.proof import known_primitives

_LIMITS = (
    "What this proves: for these shapes and any real numbers, in exact arithmetic, the rule's code"
    " computes the derivative of its definition.\nWhat it does not: other shapes, rounding, dtypes,"
    " overflow, infinities, NaN, second derivatives."
)
Row = dict[str, Any]


def list_primitives() -> int:
    """Prints the primitives that a proof can interpret, one per line."""
    print("\n".join(known_primitives()))
    return 0


def prove_layers(layer: str | None, file: str | None) -> int:
    """Proves the layers and prints one row each; returns 1 if a formula is not proved."""
    console, specs = console_beside(file), select_specs(layer)
    tasks = [(spec.name, None) for spec in specs]
    tasks += [(spec.name, i) for spec in specs for i in range(len(spec.all_faults))]
    with (
        ProcessPoolExecutor(None, multiprocessing.get_context("spawn")) as pool,
        show_progress(lines=False) as on_progress,
    ):
        futures = {pool.submit(_part, *task): task for task in tasks}
        for done, _ in enumerate(as_completed(futures)):
            on_progress("proving", done, len(tasks))
    found = {task: future.result() for future, task in futures.items()}
    rows = {spec.name: _row(spec, found) for spec in specs}
    console.print(_table(rows))
    for name, row in rows.items():
        for line in _problems(name, row):
            console.print(line, markup=False)
    console.print(_LIMITS, markup=False)
    write_json(file, {"layers": rows})
    return 0 if all(row["passed"] for row in rows.values()) else 1


def _part(name: str, fault: int | None) -> Any:
    """A layer's proofs, or what came of one of its faults, in a process that gets only names."""
    (spec,) = select_specs(name)
    if fault is None:
        return [_as_json(one) for one in catalogue.prove_rule(spec)]
    proof = catalogue.disprove_fault(spec, spec.all_faults[fault])
    return proof.verdict, proof.reason


def _as_json(one: catalogue.CaseProof) -> dict[str, Any]:
    static = {name: str(value) for name, value in one.static.items()}
    return {"static": static, "sizes": dict(one.sizes), **one.proof.as_json()}


def _row(spec: OpSpec, found: dict[Any, Any]) -> Row:
    """What is known of a layer."""
    proofs, faults = found[spec.name, None], {}
    for i, fault in enumerate(spec.all_faults):
        verdict, reason = found[spec.name, i]
        beyond = catalogue.beyond_algebra(fault)
        faults[fault.name] = {"verdict": verdict, "reason": reason, "beyond": beyond}
    right = all(_is_expected(fault) for fault in faults.values())
    proved = all(proof["verdict"] != "disproved" for proof in proofs)
    return {"passed": proved and right, "proofs": proofs, "faults": faults}


def _is_expected(fault: dict[str, str]) -> bool:
    return fault["verdict"] == ("proved" if fault["beyond"] else "disproved")


def _table(rows: dict[str, Row]) -> Table:
    """A row for each layer."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    table.add_column("layer", no_wrap=True)
    for column in ("proved", "cases", "partials", "seconds", "faults disproved", "beyond"):
        table.add_column(column, justify="right")
    for name, row in rows.items():
        table.add_row(name, *map(str, _cells(row)))
    return table


def _cells(row: Row) -> Iterable[str | int]:
    proofs, faults = row["proofs"], row["faults"].values()
    yield f"{_count(proofs, 'proved')}/{len(proofs)}"
    yield sum(proof["cases"] for proof in proofs)
    yield sum(proof["partials"] for proof in proofs)
    yield f"{sum(proof['seconds'] for proof in proofs):.1f}"
    formulas = [fault for fault in faults if not fault["beyond"]]
    yield f"{_count(formulas, 'disproved')}/{len(formulas)}"
    yield len(faults) - len(formulas)


def _count(rows: Sequence[Row], verdict: str) -> int:
    return sum(row["verdict"] == verdict for row in rows)


def _problems(name: str, row: Row) -> Iterable[str]:
    for proof in row["proofs"]:
        if proof["verdict"] != "proved":
            sizes = " ".join(f"{axis}={size}" for axis, size in proof["sizes"].items())
            yield f"{name} at {sizes}: {proof['verdict']}, {proof['reason']}"
    for fault, found in row["faults"].items():
        if not _is_expected(found):
            yield f"{name}, fault {fault!r}: {found['verdict']}, {found['reason']}"
