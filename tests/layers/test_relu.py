import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import RELU
from ffnn_jax.layers import relu, relu_forward
from tests.layers.checking import (
    assert_same_bits,
    assert_verified,
    distinct,
    kept_residuals,
    value_and_cotangents,
)


@pytest.mark.slow
def test_all_catalogue_checks_pass():
    """Autodiff of (17) gives (19)."""
    assert_verified(RELU)


def test_jacobian_is_18():
    np.testing.assert_array_equal(jax.jacrev(relu)(jnp.array([-2.0, 3.0])), [[0, 0], [0, 1]])


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_derivative_at_the_kink_is_zero(dtype):
    """(18) leaves x = 0 open; this library takes 0, at -0.0 too, and at NaN."""
    x = jnp.array([-0.0, 0.0, jnp.nan, -jnp.inf, jnp.inf, -0.5, 0.5], dtype)
    z, (dx,) = value_and_cotangents(relu, [x], jnp.arange(1, 8).astype(dtype))
    z, dx = z.astype("float64"), dx.astype("float64")
    np.testing.assert_array_equal(z, [0, 0, jnp.nan, 0, jnp.inf, 0, 0.5])
    np.testing.assert_array_equal(dx, [0, 0, 0, 0, 5, 0, 7])


def test_largest_and_smallest_numbers_pass_unchanged():
    info = np.finfo(np.float32)
    x = jnp.array([info.max, -info.max, info.tiny, -info.tiny], jnp.float32)
    z, (dx,) = value_and_cotangents(relu, [x], x)
    np.testing.assert_array_equal(z, [info.max, 0, info.tiny, 0])
    np.testing.assert_array_equal(dx, [info.max, 0, info.tiny, 0])


def test_a_nan_cotangent_affects_only_its_own_entry():
    _, (dx,) = value_and_cotangents(relu, [jnp.array([1.0, -1.0])], jnp.array([jnp.nan, jnp.nan]))
    np.testing.assert_array_equal(dx, [jnp.nan, 0])


def test_residual_is_one_boolean_per_element():
    x = distinct(0, 3, 4)
    assert_same_bits(relu_forward(x)[1], x > 0)
    assert kept_residuals(relu, x) == [("bool", (3, 4))]


def test_integers_are_rejected():
    with pytest.raises(ValueError, match="relu: x must be of a floating-point dtype, got int32"):
        relu(jnp.ones(3, jnp.int32))
