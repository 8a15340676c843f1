"""What was proved of each layer, as JSON holds it, and as a table."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table

from ffnn_jax.catalogue._faults import Fault
from ffnn_jax.catalogue._form_proofs import FormProof
from ffnn_jax.catalogue._proofs import CaseProof, beyond_algebra
from ffnn_jax.proof import Proof

Row = Mapping[str, Any]
_COLUMNS = "proved", "cases", "entries", "seconds", "faults disproved", "beyond"


def case_as_json(one: CaseProof) -> Row:
    """The proof of a rule in one case."""
    static = {name: str(value) for name, value in one.static.items()}
    return {"static": static, "sizes": dict(one.sizes), **one.proof.as_json()}


def form_as_json(one: FormProof) -> Row:
    """The proof of one map of a form."""
    name = f"form {one.form}, {one.part}"
    return {"name": name, "form": one.form, "map": one.part, **one.proof.as_json()}


def fault_as_json(fault: Fault, proof: Proof) -> Row:
    """What came of a fault, and why it is beyond algebra if it is."""
    beyond = beyond_algebra(fault)
    return {"verdict": proof.verdict, "reason": proof.reason, "beyond": beyond}


def proof_table(rows: Mapping[str, Row]) -> Table:
    """A row for each layer: how much is proved, and how many faults are disproved."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    table.add_column("layer", no_wrap=True)
    for column in _COLUMNS:
        table.add_column(column, justify="right")
    for name, row in rows.items():
        table.add_row(name, *_cells(row["proofs"], list(row["faults"].values())))
    return table


def proof_problems(rows: Mapping[str, Row]) -> Iterator[tuple[str, bool]]:
    """Lines on what is not as it should be, and whether it is wrong, or just not decided."""
    for name, row in rows.items():
        for proof in row["proofs"]:
            if proof["verdict"] != "proved":
                sizes = " ".join(f"{axis}={size}" for axis, size in proof["sizes"].items())
                line = f"{name} at {sizes}: {proof['verdict']}, {proof['reason']}"
                yield line, proof["verdict"] == "disproved"
        for fault, found in row["faults"].items():
            if (found["verdict"] == "disproved") == bool(found["beyond"]):
                yield f"{name}, fault {fault!r}: {found['verdict']} {found['reason']}".strip(), True


def _cells(proofs: Sequence[Row], faults: Sequence[Row]) -> Iterator[str]:
    formulas = [fault for fault in faults if not fault["beyond"]]
    yield f"{_count(proofs, 'proved')}/{len(proofs)}"
    for key in ("cases", "entries"):
        yield str(sum(proof[key] for proof in proofs))
    yield f"{sum(proof['seconds'] for proof in proofs):.1f}"
    yield f"{_count(formulas, 'disproved')}/{len(formulas)}"
    yield str(len(faults) - len(formulas))


def _count(rows: Sequence[Row], verdict: str) -> int:
    return sum(row["verdict"] == verdict for row in rows)
