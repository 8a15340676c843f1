import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import SCALE
from ffnn_jax.layers import add, relu, scale, scale_backward
from tests.layers.checking import (
    assert_close,
    assert_same_bits,
    assert_same_rule,
    assert_verified,
    kept_residuals,
    normal,
)


@pytest.mark.slow
def test_all_catalogue_checks_pass():
    """Autodiff of (scale.1) gives (scale.2), (scale.3) and (scale.4)."""
    assert_verified(SCALE)


@pytest.mark.parametrize("factor", ["", "4"])
def test_value_and_cotangents_are_those_of_the_reference(factor):
    assert_same_rule(scale, SCALE.reference, "2x3x4", factor)


def test_a_shared_factor_collects_the_cotangents_of_all_channels_by_scale_4():
    x, dz = jnp.array([[1.0, 2], [3, 4]]), jnp.array([[1.0, 0], [2, 5]])
    dx, dfactor = scale_backward((x, jnp.array(3.0)), dz)
    np.testing.assert_array_equal(dx, 3 * dz)
    assert dfactor == 27
    assert_same_bits(scale(x, jnp.array(3.0)), scale(x, jnp.array([3.0, 3.0])))


def test_a_block_with_factor_0_is_the_identity_and_still_learns():
    def block(u: jax.Array, factor: jax.Array) -> jax.Array:
        return add(u, scale(relu(u), factor))

    u, dz = jnp.array([[1.0, -2]]), jnp.array([[3.0, 5]])
    z, pull = jax.vjp(block, u, jnp.array(0.0))
    assert_same_bits(z, u)
    assert_same_bits(pull(dz), (dz, jnp.array(3.0)))


def test_a_float32_factor_has_its_gradient_summed_in_float32_beside_narrower_x():
    """In bfloat16 a sum of ones stops at 256."""
    x = jnp.ones((1000, 1), "bfloat16")
    dx, dfactor = scale_backward((x, jnp.array([3.0], "float32")), x)
    assert (dx.dtype, dfactor.dtype, dfactor.item()) == ("bfloat16", "float32", 1000)


def test_the_product_is_rounded_once():
    x, factor = normal(0, 50).astype("bfloat16"), jnp.asarray(0.3, "float32")
    exact = x.astype("float64") * factor.astype("float64")
    assert_close(scale(x, factor), exact.astype("bfloat16"))


def test_residuals_are_x_and_the_factor():
    x = normal(0, 2, 3)
    assert kept_residuals(scale, x, x[0]) == [("float64", (2, 3)), ("float64", (3,))]


@pytest.mark.parametrize("shape", [(2,), (1,), (2, 3)])
def test_other_factors_are_rejected(shape):
    with pytest.raises(ValueError, match=r"scale: factor must be of shape \(\) or \(3,\), got"):
        scale(jnp.ones((2, 3)), jnp.ones(shape))


def test_dtypes_that_do_not_match_are_rejected():
    with pytest.raises(ValueError, match="scale: factor must be of x's dtype float32, got float64"):
        scale(jnp.ones(3, "float32"), jnp.ones(3))
    with pytest.raises(ValueError, match="scale: x must be of a floating-point dtype, got int64"):
        scale(jnp.ones(3, "int64"), jnp.ones(3))
