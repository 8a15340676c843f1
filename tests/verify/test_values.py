"""Wrong values and cotangents, and the checks that see each."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.verify import CHECKS, Kink, Rule, check_vjp
from tests.verify import structures, toys
from tests.verify.running import IN_PROCESS, SMALL, check_product


def test_a_correct_rule_passes_every_check_that_applies():
    ones = np.ones((1, 1))
    rule = Rule(
        toys.product, toys.reference_product, ("NxD", "DxK"),
        batch="N", linear=(0, 1), exact=True, empty_batch=True, sizes=SMALL,
        kinks=(Kink("ones", (ones,) * 2, ones, (ones,) * 2),),
    )  # fmt: skip
    result = check_vjp(rule)
    assert result.passed, str(result)
    assert [row.name for row in result.checks] == [name for name in CHECKS if name != "jvp"]
    assert result.not_asked == {"jvp": "a custom_vjp has no forward mode"}
    assert result.remarks == result.conventions == result.details == ()


@pytest.mark.parametrize(
    ("backward", "required", "forbidden"),
    [
        (toys.scaled_dw, {"cotangents", "differences", "adjoint", "exact"}, {"value", "linearity"}),
        (toys.drops_the_cotangent, {"cotangents", "linearity", "zero"}, {"value"}),
        (toys.squares_the_cotangent, {"cotangents", "linearity"}, {"value", "zero"}),
    ],
)
def test_a_wrong_rule_fails_the_checks_that_detect_it(backward, required, forbidden):
    asked = ("value", "cotangents", "differences", "adjoint", "exact", "linearity", "zero")
    failures = set(check_product(toys.custom_vjp_of(backward), only=asked).failures)
    assert required <= failures
    assert not forbidden & failures


def test_a_wrong_value_fails_the_value_check():
    wrong = toys.custom_vjp_of(toys.correct_backward, lambda x, w: (1.001 * (x @ w), (x, w)))
    result = check_product(wrong, only=["value", "primal", "cotangents", "linearity"])
    assert result.failures == ("value",)


@pytest.mark.parametrize(
    ("value", "forward_value", "failures"),
    [
        (lambda x: jnp.sin(x) + 0.5, jnp.sin, ("value", "primal")),
        (jnp.sin, lambda x: jnp.sin(x) + 0.5, ("primal",)),
        (jnp.sin, lambda x: jnp.sin(x) * (1 + 1e-10), ("primal",)),
        (jnp.sin, lambda x: jnp.sin(x) * (1 + 1e-15), ()),
    ],
    ids=["value offset", "forward offset", "forward slightly off", "rounding"],
)
def test_the_value_must_not_change_when_it_is_differentiated(value, forward_value, failures):
    op = toys.unary(value, jnp.cos, forward_value)
    result = check_vjp(op, jnp.sin, "N", only=["value", "primal", "cotangents", "differences"])
    assert result.failures == failures


def test_without_a_reference_a_forward_of_its_own_is_still_seen():
    op = toys.unary(jnp.sin, jnp.cos, lambda x: jnp.sin(x) + 0.5)
    assert check_vjp(op, None, "N", only=["primal", "differences"]).failures == ("primal",)


def test_without_a_reference_differences_judge_the_rule():
    right, wrong = toys.unary(jnp.sin, jnp.cos), toys.unary(jnp.sin, lambda x: -jnp.cos(x))
    detached = toys.unary(jnp.sin, lambda x: jnp.cos(jax.lax.stop_gradient(x)))
    assert check_vjp(right, None, "N", only=IN_PROCESS)
    asked = ["differences", "magnitudes", "grad of grad"]
    assert check_vjp(wrong, None, "N", only=asked).failures == tuple(asked)[:2]
    assert check_vjp(detached, None, "N", only=asked).failures == ("grad of grad",)


@pytest.mark.parametrize("scale", [1e-10, 1e10])
def test_errors_are_relative_at_small_and_large_scales(scale):
    def value(x):
        return scale * jnp.sin(x)

    right = toys.unary(value, lambda x: scale * jnp.cos(x))
    doubled = toys.unary(value, lambda x: 2 * scale * jnp.cos(x))
    asked = ["value", "cotangents", "differences", "float32"]
    assert check_vjp(right, value, "N", only=asked)
    assert check_vjp(doubled, value, "N", only=asked).failures == tuple(asked[1:])


def test_a_small_entry_beside_large_ones_is_compared():
    def last_entry(x):
        return jnp.where(jnp.arange(len(x)) == len(x) - 1, 1.0001, 1.0) * jnp.cos(x)

    asked = ["cotangents", "differences"]
    assert check_vjp(toys.unary(jnp.sin, last_entry), jnp.sin, "N", only=asked).failures == (
        "cotangents", "differences",
    )  # fmt: skip


def test_nan_is_an_error():
    def nan(residuals, dz):
        dx, dw = toys.correct_backward(residuals, dz)
        return dx * jnp.nan, dw

    asked = ["cotangents", "differences", "linearity", "zero"]
    result = check_product(toys.custom_vjp_of(nan), only=asked)
    assert result.failures == tuple(asked)
    assert result["cotangents"].worst == np.inf


@pytest.mark.parametrize(("flag", "failures"), [(0.0, ()), (0.3, ("value",))])
def test_integer_and_boolean_outputs_are_compared(flag, failures):
    op = structures.flags_with(lambda x: x > flag)
    result = check_vjp(op, structures.reference_with_flags, "N", only=IN_PROCESS)
    assert result.failures == failures


def test_an_output_of_the_wrong_shape_is_reported_in_one_row():
    result = check_vjp(lambda x: x[None], toys.absolute, "N")
    assert [row.note for row in result.checks] == [
        "the output shape is (1, 3), the reference's (3,)"
    ]
    assert not result


def test_a_failure_names_argument_and_index():
    def one_entry(residuals, dz):
        dx, dw = toys.correct_backward(residuals, dz)
        return dx, dw.at[2, 1].multiply(1.01)

    row = check_product(toys.custom_vjp_of(one_entry), only=["cotangents"])["cotangents"]
    assert row.where == "dw[2, 1] at N=3 D=4 K=5"
    assert row.worst > row.allowed > 0


def test_a_different_seed_draws_different_values():
    wrong = toys.custom_vjp_of(toys.scaled_dw)
    worst = [
        check_product(wrong, only=["cotangents"], seed=seed)["cotangents"].worst
        for seed in (0, 0, 1)
    ]
    assert worst[0] == worst[1] != worst[2]


def test_global_settings_are_unchanged():
    before = dict(jax.config.values)
    check_vjp(toys.product, toys.reference_product, "NxD", "DxK", batch="N", sizes=SMALL)
    assert dict(jax.config.values) == before
    assert not jax.config.jax_enable_x64  # type: ignore[attr-defined]
    assert jnp.ones(()).dtype == jnp.float32


def test_the_difference_quotient_of_a_smooth_function_is_accurate():
    """An error of eps ** (2 / 3) = 4e-11 is the least that a central difference has."""
    (row,) = check_vjp(toys.unary(jnp.sin, jnp.cos), None, "N", only=["differences"]).checks
    assert row.worst < 1e-9
