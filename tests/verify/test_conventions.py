"""Conventions at special points that were not declared."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.verify import Kink, check_vjp
from tests.verify import toys

ASKED = ("value", "cotangents")


def relu(x):
    return jnp.maximum(x, 0)


def rule_with(slope_at_0):
    return toys.unary(
        relu, lambda x: jnp.where(x > 0, 1.0, jnp.where(x == 0, slope_at_0, 0.0)).astype(x.dtype)
    )


def conventions(*arguments, **settings):
    result = check_vjp(*arguments, only=ASKED, **settings)
    assert result.passed, str(result)
    return result.conventions


def test_a_slope_at_0_that_differs_is_listed_with_both_values():
    found = conventions(rule_with(0.0), relu, "N")
    assert "x = 0 gives dx[0] 0, reference 0.5" in found
    assert all("dx" in line for line in found)


def test_the_same_slope_at_0_is_not_listed():
    assert conventions(rule_with(0.5), relu, "N") == ()


def test_a_declared_slope_at_0_is_not_listed():
    point, dz = np.zeros(3), np.ones(3)
    kinks = [Kink("zero", (point,), dz, (point,))]
    assert conventions(rule_with(0.0), relu, "N", kinks=kinks) == ()


def test_conventions_are_printed_and_are_no_failure():
    result = check_vjp(rule_with(0.0), relu, "N", only=ASKED)
    assert result.passed
    assert "convention not declared: x = 0 gives dx[0] 0, reference 0.5" in str(result).splitlines()


def test_nan_on_one_side_is_listed():
    """As in x log(x), whose autodiff gives NaN at 0."""

    def plain(x):
        return x * jnp.log(x)

    def entropy(x):
        return jnp.where(x == 0, 0, x * jnp.log(jnp.where(x == 0, 1, x)))

    op = toys.unary(entropy, lambda x: 1 + jnp.log(x))
    found = conventions(op, plain, "N:>0")
    assert "x = 0 gives z[0] 0, reference nan" in found


@pytest.mark.parametrize("nan_safe", [True, False])
def test_a_sinc_with_a_wrong_slope_near_0_is_listed(nan_safe):
    def plain(x):
        return jnp.sin(x) / x

    def slope(x):
        return jnp.where(jnp.abs(x) < 1e-7, 0.7 if not nan_safe else -x / 3,
                         jnp.cos(x) / x - jnp.sin(x) / x**2)  # fmt: skip

    op = toys.unary(lambda x: jnp.where(x == 0, 1.0, jnp.sin(x) / x), slope)
    found = conventions(op, plain, "N")
    assert ("x = 1e-8 gives dx[0] 0.7" in " ".join(found)) is (not nan_safe)


def test_ties_of_two_arguments_are_probed():
    op = jax.custom_vjp(jnp.maximum)

    def backward(residuals, dz):
        x, y = residuals
        return jnp.where(x >= y, dz, 0), jnp.where(x >= y, 0, dz)

    op.defvjp(lambda x, y: (jnp.maximum(x, y), (x, y)), backward)
    found = conventions(op, lambda x, y: jnp.maximum(x, y), "N", "N")
    assert "x = y gives dx[0] 1, reference 0.5" in found


def test_a_row_of_zeros_is_probed():
    def norm(x):
        return jnp.sqrt(jnp.sum(x * x, axis=-1))

    op = jax.custom_vjp(norm)

    def backward(x, dz):
        length = norm(x)[:, None]
        return (jnp.where(length == 0, 0, x / jnp.where(length == 0, 1, length)) * dz[:, None],)

    op.defvjp(lambda x: (norm(x), x), backward)
    found = " ".join(conventions(op, norm, "NxD"))
    assert "dx[0, 0] 0, reference nan" in found
