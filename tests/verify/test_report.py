"""What the report of a failure says."""

import json
import math

import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.verify import CHECKS, check_vjp
from ffnn_jax.verify._result import Check, Part, VerificationResult, worst_of
from tests.verify import toys
from tests.verify.running import SMALL, check_product

MAIN = ("value", "cotangents", "differences")


def test_the_result_prints_as_a_table_with_one_row_per_check():
    result = check_product(toys.product, only=["value", "zero"])
    first, head, *rows = str(result).splitlines()
    assert first == "product: all checks hold"
    assert head.split() == ["check", "worst", "allowed", "where", "note"]
    assert [row.split()[:2] for row in rows[:2]] == [["value", "ok"], ["zero", "ok"]]
    assert rows[2].startswith("not asked: ")


def test_a_row_shows_the_allowed_error_or_that_none_is():
    checks = Check("value", True, 1e-12, 1e-9), Check("primal", True)
    _, _, value, primal = str(VerificationResult("f", checks)).splitlines()
    assert value.split() == ["value", "ok", "1.0e-12", "1e-09"]
    assert primal.split() == ["primal", "ok", "0.0e+00", "exact"]


@pytest.mark.parametrize(
    ("check", "badness"),
    [
        (Check("exact", True), 0.0),
        (Check("exact", True, 0.5), math.inf),
        (Check("exact", False), math.inf),
        (Check("value", True, 2e-9, 1e-9), 2.0),
    ],
)
def test_an_error_where_none_is_allowed_is_worse_than_any(check, badness):
    assert check.badness == badness
    assert worst_of([Check("value", True, 1.0, 1.0), check]).badness == max(1.0, badness)


def test_an_exception_is_reported_once_with_who_raised_it():
    def slope(x):
        raise KeyError("no such residual")

    result = check_vjp(toys.unary(jnp.sin, slope), lambda x: jnp.sin(x), "N", only=MAIN)
    notes = [row.note for row in result.checks if not row.passed]
    text = "KeyError: 'no such residual'"
    assert notes[0].startswith(f"{text} (test_report.py:")
    assert notes[0].endswith(", slope)")
    assert set(notes[1:]) == {f"as in {result.failures[0]}"}
    assert str(result).count(text) == 1


def test_the_printed_call_reproduces_the_failures():
    asked = [*MAIN, "linearity", "zero", "grad of grad"]
    settings = {"batch": "N", "sizes": SMALL, "seed": 3, "only": asked}
    op, reference = toys.ignores_its_cotangent, toys.reference_product
    result = check_vjp(op, reference, "NxD", "DxK", **settings)
    names = {"check_vjp": check_vjp, **vars(toys)}
    repeated = eval(result.again, names)
    assert repeated.failures == result.failures
    assert [row.worst for row in repeated.checks] == [
        result[name].worst for name in result.failures
    ]
    assert f"again: {result.again}" == str(result).splitlines()[-1]


def test_the_call_of_a_fault_in_float32_at_a_magnitude_reproduces_it():
    result = check_vjp(
        toys.overflowing, toys.reference_overflowing, "N", only=["magnitudes", "float32"]
    )
    names = {"check_vjp": check_vjp, **vars(toys)}
    assert result.failures == ("magnitudes", "float32")
    assert eval(result.again, names).failures == result.failures


def test_the_call_of_a_fault_in_float32_alone_goes_to_the_same_magnitudes():
    """In float64 the reference overflows as well, where nothing is compared."""
    op, reference = toys.overflowing, toys.reference_overflowing_too
    result = check_vjp(op, reference, "N", only=["magnitudes", "float32"])
    assert result.failures == ("float32",)
    assert eval(result.again, {"check_vjp": check_vjp, **vars(toys)}).failures == ("float32",)


def test_the_result_as_json_holds_what_it_says():
    result = check_product(toys.ignores_its_cotangent, only=MAIN)
    read = json.loads(json.dumps(result.as_json(), allow_nan=False))
    assert read["passed"] is False
    assert read["verdict"] == "fails cotangents, differences"
    assert set(read["checks"]) == set(MAIN)
    assert read["checks"]["value"]["passed"] is True
    assert read["details"] == list(result.details)
    assert read["failing_input"] == result.failing_input
    assert set(read["not_asked"]) == set(CHECKS) - set(MAIN)


def test_a_failure_without_a_number_is_null_in_json():
    def slope(x):
        raise KeyError("no such residual")

    result = check_vjp(toys.unary(jnp.sin, slope), lambda x: jnp.sin(x), "N", only=["cotangents"])
    assert result.as_json()["checks"]["cotangents"]["worst"] is None
    json.dumps(result.as_json(), allow_nan=False)


def test_remarks_say_what_a_comparison_cannot_show():
    plain = check_vjp(lambda x: jnp.sin(x), lambda x: jnp.sin(x), "N", only=["cotangents"])
    assert plain.remarks == ("the operation has no rule of its own: autodiff differentiates it",)
    assert f"note: {plain.remarks[0]}" in str(plain)
    op = toys.unary(jnp.sin, jnp.cos)
    itself = check_vjp(op, op, "N", only=["cotangents"])
    assert itself.remarks == (
        "the reference is the operation itself, so only differences are independent",
    )
    assert check_vjp(op, jnp.sin, "N", only=["cotangents"]).remarks == ()


def test_a_wrong_rule_compared_with_itself_still_fails_the_differences():
    op = toys.unary(jnp.sin, lambda x: jnp.sin(x))
    assert check_vjp(op, op, "N", only=MAIN).failures == ("differences",)


def test_results_are_equal_if_their_rows_are():
    """The arrays that differ are no part of a row's value."""
    parts = (Part("dx", np.ones(2), np.zeros(2), np.ones(2, bool)),)
    rows = [Check("zero", False, 1.0, parts=one) for one in (parts, ())]
    assert rows[0] == rows[1] != Check("zero", True)
    assert VerificationResult("f", (Check("zero", True),)).passed
    assert not VerificationResult("f", (Check("zero", True),), timed_out=True).passed
