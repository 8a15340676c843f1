"""Every entry and every form is proved by algebra, and every wrong formula is disproved."""

import pytest

pytest.importorskip("flint")

from ffnn_jax.catalogue import (
    FORMS,
    OP_SPECS,
    beyond_algebra,
    disprove_fault,
    prove_form,
    prove_rule,
)
from ffnn_jax.catalogue._proofs import proof_sizes

SAMPLE = {"dense", "relu", "silu", "softmax"}
FAULTS = [(spec, fault) for spec in OP_SPECS for fault in spec.all_faults]
SAMPLE_OF_FAULTS = [
    (spec, fault) for spec, fault in FAULTS if spec.name in {"dense", "prelu", "tanh"}
]
MANY_CASES = {"max_pool": 1}
"""Proofs that would take more than 1000 cases: windows of 3 by 3."""


def marked(pairs, sample):
    marks = pytest.mark.slow
    return [
        pytest.param(*pair, id=f"{pair[0].name}-{pair[-1].name}",
                     marks=() if pair in sample else marks)
        for pair in pairs
    ]  # fmt: skip


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(s, id=s.name, marks=() if s.name in SAMPLE else pytest.mark.slow)
        for s in OP_SPECS
    ],
)
def test_an_entry_is_proved_in_every_case_at_two_shapes(spec):
    proofs = prove_rule(spec)
    assert {one.proof.verdict for one in proofs} <= {"proved", "not decided"}
    undecided = [one.proof.reason for one in proofs if not one.proof]
    assert undecided == ["more than 1000 cases"] * MANY_CASES.get(spec.name, 0)
    assert len({one.proof.shapes for one in proofs}) >= 2
    assert all(one.proof.entries for one in proofs)


@pytest.mark.parametrize("spec", [pytest.param(s, id=s.name) for s in OP_SPECS])
def test_every_case_of_an_entry_has_sizes(spec):
    assert len(proof_sizes(spec)) == len(spec.cases)


@pytest.mark.parametrize(("spec", "fault"), marked(FAULTS, SAMPLE_OF_FAULTS))
def test_a_wrong_formula_is_disproved_and_no_other_fault(spec, fault):
    proof = disprove_fault(spec, fault)
    assert (proof.verdict == "disproved") != bool(beyond_algebra(fault)), proof.reason


@pytest.mark.slow
@pytest.mark.parametrize(("form", "geometries"), [pytest.param(*f, id=f[0].name) for f in FORMS])
def test_a_form_computes_the_polynomials_of_the_equation_form(form, geometries):
    proofs = list(prove_form(form, geometries))
    assert len(proofs) == 3 * len(geometries)
    assert all(one.proof for one in proofs)
    assert len({one.proof.shapes for one in proofs if one.part == "forward"}) == len(geometries)


def test_a_form_with_an_error_is_disproved():
    form, geometries = next(one for one in FORMS if one[0].name == "rows")
    wrong = form._replace(kernels=lambda *arguments: 2 * form.kernels(*arguments))
    verdicts = {one.part: one.proof.verdict for one in prove_form(wrong, geometries[:1])}
    assert verdicts == {"forward": "proved", "images": "proved", "kernels": "disproved"}
