"""Proves the layers of this package by algebra, and disproves the planted faults."""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from rich import box
from rich.table import Table

from ffnn_jax import catalogue
from ffnn_jax.catalogue import FORMS, OpSpec
from ffnn_jax.catalogue.equations import EQUATIONS
from ffnn_jax.cli._output import console_beside, show_progress, write_json
from ffnn_jax.cli._verify_layers_run import select_specs
from ffnn_jax.proof import known_primitives

_LIMITS = """\
What this proves: for these shapes and all real numbers, in exact arithmetic, the code computes \
the derivative of its definition.
What it does not: other shapes, rounding, dtypes, overflow, infinities, NaN, second derivatives."""
_FORMS, _EQUATIONS = "forms", "equations"
Row = dict[str, Any]
Task = tuple[str, int | None]


def list_primitives() -> int:
    """Prints the primitives that a proof can interpret, one per line."""
    print("\n".join(known_primitives()))
    return 0


def prove_layers(layer: str | None, file: str | None) -> int:
    """Proves the layers and prints one row each; returns 1 if anything is as it must not be.

    All layers come with the forms of the convolution, and with the equations of all chapters.
    """
    console, specs = console_beside(file), select_specs(layer)
    faults = [(spec.name, i) for spec in specs for i in range(len(spec.all_faults))]
    others = _others(layer)
    found = _run([*((spec.name, None) for spec in specs), *others, *faults])
    rows = {spec.name: _row(spec, found) for spec in specs}
    forms, equations = (
        [one for task in others if task[0] == kind for one in found[task]]
        for kind in (_FORMS, _EQUATIONS)
    )
    console.print(_table(rows))
    for what, proofs in (("maps of forms of conv2d", forms), ("equations", equations)):
        if proofs:
            console.print(f"{_count(proofs, 'proved')} of {len(proofs)} {what} proved")
    failed = [*_failed(forms), *_failed(equations)]
    problems = [line for name, row in rows.items() for line in _problems(name, row)]
    console.print("\n".join([*problems, *failed, _LIMITS]))
    write_json(file, {"layers": rows, "forms": forms, "equations": equations})
    return 1 if _wrong(rows.values()) or failed else 0


def _others(layer: str | None) -> list[Task]:
    """What is proved beside layers and faults."""
    forms = [(_FORMS, i) for i in range(len(FORMS))] if layer in (None, "conv2d") else []
    return [*forms, *((_EQUATIONS, i) for i in range(0 if layer else len(EQUATIONS)))]


def _run(tasks: Sequence[Task]) -> dict[Task, Any]:
    """The results of all tasks, one process per core."""
    with (
        ProcessPoolExecutor(None, multiprocessing.get_context("spawn")) as pool,
        show_progress(lines=False) as on_progress,
    ):
        futures = {pool.submit(_part, *task): task for task in tasks}
        for done, _ in enumerate(as_completed(futures)):
            on_progress("proving", done, len(tasks))
        return {task: future.result() for future, task in futures.items()}


def _part(name: str, index: int | None) -> Any:
    """A layer's proofs, a fault's or a form's, in a process that gets only names."""
    if name == _FORMS and index is not None:
        return [_form_as_json(one) for one in catalogue.prove_form(*FORMS[index])]
    if name == _EQUATIONS and index is not None:
        chapter, equations = list(EQUATIONS.items())[index]
        return [{"name": f"{chapter} ({e.tag})", **e.prove().as_json()} for e in equations]
    (spec,) = select_specs(name)
    if index is None:
        return [_as_json(one) for one in catalogue.prove_rule(spec)]
    proof = catalogue.disprove_fault(spec, spec.all_faults[index])
    return proof.verdict, proof.reason


def _as_json(one: catalogue.CaseProof) -> Row:
    static = {name: str(value) for name, value in one.static.items()}
    return {"static": static, "sizes": dict(one.sizes), **one.proof.as_json()}


def _form_as_json(one: catalogue.FormProof) -> Row:
    name = f"form {one.form}, {one.part}"
    return {"name": name, "form": one.form, "map": one.part, **one.proof.as_json()}


def _row(spec: OpSpec, found: dict[Task, Any]) -> Row:
    """What is known of a layer."""
    faults = {}
    for i, fault in enumerate(spec.all_faults):
        verdict, reason = found[spec.name, i]
        beyond = catalogue.beyond_algebra(fault)
        faults[fault.name] = {"verdict": verdict, "reason": reason, "beyond": beyond}
    return {"proofs": found[spec.name, None], "faults": faults}


def _table(rows: dict[str, Row]) -> Table:
    """A row for each layer."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    table.add_column("layer", no_wrap=True)
    for column in ("proved", "cases", "partials", "seconds", "faults disproved", "beyond"):
        table.add_column(column, justify="right")
    for name, row in rows.items():
        proofs, faults = row["proofs"], list(row["faults"].values())
        formulas = [fault for fault in faults if not fault["beyond"]]
        sums = (sum(proof[key] for proof in proofs) for key in ("cases", "partials", "seconds"))
        *counts, seconds = sums
        table.add_row(
            name, f"{_count(proofs, 'proved')}/{len(proofs)}", *map(str, counts), f"{seconds:.1f}",
            f"{_count(formulas, 'disproved')}/{len(formulas)}", str(len(faults) - len(formulas)),
        )  # fmt: skip
    return table


def _count(rows: Sequence[Row], verdict: str) -> int:
    return sum(row["verdict"] == verdict for row in rows)


def _wrong(rows: Any) -> bool:
    """Whether a rule is disproved, or a fault is not as it is listed."""
    return any(
        _count(row["proofs"], "disproved") or not all(map(_is_expected, row["faults"].values()))
        for row in rows
    )


def _is_expected(fault: Row) -> bool:
    return fault["verdict"] == ("proved" if fault["beyond"] else "disproved")


def _problems(name: str, row: Row) -> Iterator[str]:
    for proof in row["proofs"]:
        if not _is_proved(proof):
            sizes = " ".join(f"{axis}={size}" for axis, size in proof["sizes"].items())
            yield f"{name} at {sizes}: {proof['verdict']}, {proof['reason']}"
    for fault, found in row["faults"].items():
        if not _is_expected(found):
            yield f"{name}, fault {fault!r}: {found['verdict']} {found['reason']}".strip()


def _failed(proofs: Sequence[Row]) -> list[str]:
    return [f"{p['name']}: {p['verdict']} {p['reason']}" for p in proofs if not _is_proved(p)]


def _is_proved(proof: Row) -> bool:
    return proof["verdict"] == "proved"
