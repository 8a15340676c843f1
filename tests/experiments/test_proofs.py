"""The page says what was proved, at which shapes, and what was not."""

import contextlib
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("flint")

from experiments import proofs
from experiments._proofs_page import proofs_page
from experiments._results import RESULTS, read_result
from ffnn_jax.catalogue import OP_SPECS


def proof(verdict: str, reason: str = "", **more: Any) -> dict[str, Any]:
    return {
        "verdict": verdict, "reason": reason, "shapes": [[2, 3], [3, 4]], "entries": 22,
        "cases": 3, "seconds": 0.5, "primitives": ["add", "dot_general"], "static": {}, **more,
    }  # fmt: skip


FAULTS = {
    "negated": {"verdict": "disproved", "reason": "dx", "beyond": ""},
    "left in float32": {"verdict": "proved", "reason": "", "beyond": "dtypes"},
}
RESULT = {
    "seconds": 100.0, "processor": "2 cores of A Processor",
    "layers": {
        "dense": {"proofs": [proof("proved"), proof("proved")], "faults": FAULTS},
        "max_pool": {"proofs": [proof("not decided", "more than 1000 cases")], "faults": {}},
    },
    "forms": [proof("proved", form="rows", map="forward"), proof("proved", form="rows", map="x")],
    "equations": [proof("proved", name="a (norm.1)"), proof("proved", name="b (norm.2)")],
    "without_algebra": {"pool (pool.5)": "whole numbers"},
}  # fmt: skip


def test_the_page_counts_proofs_and_names_what_is_not_decided():
    page = proofs_page(RESULT)
    assert "in 100 s on 2 cores of A Processor" in page
    assert "1 of 2 rules are proved at all shapes, 2 of 3 proofs: 66 entries of cotangents" in page
    assert "Of 2 planted faults, 1 have a counterexample" in page
    assert "(dtypes 1)" in page
    assert "| `dense` | 2x3 3x4 | 1 | 6 | 44 | 2 | 1.0 | 1 of 1 | 1 |" in page
    assert "- `max_pool` at 2x3 3x4: more than 1000 cases" in page
    assert "| rows | 2 of 2 | 2x3 3x4 |" in page
    assert "2 of 2 tagged equations, in 2 chapters, are proved" in page
    assert "1 tags state no equation between real numbers (pool (pool.5): whole numbers)" in page


def test_stored_proofs_cover_every_rule_form_and_equation():
    stored = read_result(RESULTS / "proofs.json")
    assert set(stored["layers"]) == {spec.name for spec in OP_SPECS}
    proofs = [one for row in stored["layers"].values() for one in row["proofs"]]
    assert {one["reason"] for one in proofs} <= {"", "more than 1000 cases"}
    others = stored["forms"] + stored["equations"]
    assert {one["verdict"] for one in others} == {"proved"}
    faults = [one for row in stored["layers"].values() for one in row["faults"].values()]
    assert all((one["verdict"] == "disproved") != bool(one["beyond"]) for one in faults)


@pytest.mark.slow
def test_the_quick_setting_proves_the_dense_layer(tmp_path: Path):
    with contextlib.chdir(tmp_path):
        proofs.main(quick=True)
        result = read_result(tmp_path / "runs" / "quick" / "proofs.json")
    assert list(result["layers"]) == ["dense"]
