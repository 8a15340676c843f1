"""Forward mode, where an operation has one."""

import functools

import jax
import jax.numpy as jnp
import pytest
from jax.custom_derivatives import linear_call

from ffnn_jax.verify import check_vjp
from tests.verify import toys

ASKED = ("value", "cotangents", "differences", "magnitudes", "jvp")


def sine_with(forward_slope, slope=jnp.cos):
    """A ``custom_jvp`` whose forward mode and reverse mode have slopes of their own."""
    op = jax.custom_jvp(jnp.sin)

    @op.defjvp
    def rule(primals, tangents):
        (x,), (v,) = primals, tangents
        tangent = linear_call(lambda x, v: forward_slope(x) * v, lambda x, dz: slope(x) * dz, x, v)
        return jnp.sin(x), tangent

    return op


@pytest.mark.parametrize("reference", [jnp.sin, None], ids=["reference", "no reference"])
@pytest.mark.parametrize(
    ("forward_slope", "failures"),
    [
        (jnp.cos, ()),
        (lambda x: -jnp.cos(x), ("jvp",)),
        (lambda x: jnp.cos(x) * (1 + 1e-8), ("jvp",)),
        (lambda x: jnp.cos(x) * jnp.nan, ("jvp",)),
        (lambda x: jnp.where(jnp.abs(x) > 30, 0.0, jnp.cos(x)), ("jvp",)),
    ],
    ids=["right", "negated", "off by 1e-8", "NaN", "wrong beyond 30"],
)
def test_a_tangent_that_only_forward_mode_uses_is_checked(forward_slope, failures, reference):
    result = check_vjp(sine_with(forward_slope), reference, "N", only=ASKED)
    assert result.failures == failures, str(result)


def test_an_ordinary_custom_jvp_is_checked_in_both_modes():
    op = jax.custom_jvp(lambda x, y: jnp.sin(x) * y)
    op.defjvps(lambda v, z, x, y: jnp.cos(x) * y * v, lambda v, z, x, y: 1.01 * jnp.sin(x) * v)
    result = check_vjp(op, toys.sine_times, "N", "N", only=ASKED)
    assert result.failures == ("cotangents", "differences", "magnitudes", "jvp")


def test_a_custom_vjp_has_no_forward_mode_and_the_report_says_so():
    result = check_vjp(toys.unary(jnp.sin, jnp.cos), jnp.sin, "N", only=ASKED)
    assert [row.name for row in result.checks] == list(ASKED[:-1])
    assert result.not_asked["jvp"] == "a custom_vjp has no forward mode"


def test_forward_mode_of_a_static_argument_first():
    op = jax.custom_jvp(lambda n, x: x**n, nondiff_argnums=(0,))

    @functools.partial(op.defjvp)
    def rule(n, primals, tangents):
        (x,), (v,) = primals, tangents
        return x**n, n * x ** (n - 1) * v

    assert check_vjp(op, lambda n, x: x**n, 3, "N", only=ASKED)
