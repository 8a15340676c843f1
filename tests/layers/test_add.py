import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import ADD
from ffnn_jax.layers import add, relu
from tests.layers.checking import assert_same_bits, assert_verified, kept_residuals, normal


@pytest.mark.slow
def test_all_catalogue_checks_pass():
    """Autodiff of (add.1) gives (add.3)."""
    assert_verified(ADD)


def test_jacobians_are_add_2():
    jacobians = jax.jacrev(add, (0, 1))(normal(0, 3), normal(1, 3))
    np.testing.assert_array_equal(jacobians, [np.eye(3), np.eye(3)])


def test_the_cotangents_of_a_value_used_in_both_branches_add_up_by_add_4():
    """In a residual block all of dz passes, plus what passes through f."""
    u, dz = jnp.array([1.0, -1, 0]), jnp.array([3.0, 5, 7])
    (du,) = jax.vjp(lambda u: add(u, relu(u)), u)[1](dz)
    np.testing.assert_array_equal(du, [6, 5, 7])
    (du,) = jax.vjp(lambda u: add(u, u), u)[1](dz)
    np.testing.assert_array_equal(du, 2 * dz)


def test_no_residuals_are_kept():
    assert kept_residuals(add, normal(0, 3), normal(1, 3)) == []


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_sum_is_rounded_once(dtype):
    x, y = (normal(i, 50).astype(dtype) for i in (0, 1))
    exact = np.asarray(x, np.float64) + np.asarray(y, np.float64)
    assert_same_bits(add(x, y), jnp.asarray(exact).astype(dtype))


@pytest.mark.parametrize("shape", [(3,), (1, 3), (3, 2)])
def test_nothing_is_broadcast(shape):
    with pytest.raises(ValueError, match=r"add: y must be of x's shape \(2, 3\), got"):
        add(jnp.ones((2, 3)), jnp.ones(shape))


def test_dtypes_that_differ_or_are_not_floating_point_are_rejected():
    with pytest.raises(ValueError, match="add: y must be of x's dtype float64, got bfloat16"):
        add(jnp.ones(3), jnp.ones(3, "bfloat16"))
    with pytest.raises(ValueError, match="add: x must be of a floating-point dtype, got int64"):
        add(jnp.ones(3, "int64"), jnp.ones(3, "int64"))
