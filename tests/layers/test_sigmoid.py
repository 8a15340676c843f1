import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import SIGMOID
from ffnn_jax.layers import sigmoid, sigmoid_forward
from tests.layers.checking import (
    assert_close,
    assert_same_bits,
    assert_verified,
    distinct,
    kept_residuals,
    value_and_cotangents,
)
from tests.tolerances import tolerance

NAN, INF = float("nan"), float("inf")
each_dtype = pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])


@pytest.mark.slow
def test_all_catalogue_checks_pass():
    """Autodiff of (sigmoid.1) gives (sigmoid.5)."""
    assert_verified(SIGMOID)


def test_jacobian_is_sigmoid_2_and_sigmoid_4():
    """exp(-x) / (1 + exp(-x))^2 at log 3: 1/3 / (4/3)^2 = 3/16, which is 3/4 (1 - 3/4)."""
    jacobian = jax.jacrev(sigmoid)(jnp.log(jnp.array([1.0, 3])))
    assert_close(jacobian, np.array([[1 / 4, 0], [0, 3 / 16]]))


def test_z_and_1_minus_z_swap_with_the_sign_of_x_by_sigmoid_3():
    x = distinct(0, 3, 4, 5)
    (z, slope), (mirrored, same_slope) = sigmoid_forward(x), sigmoid_forward(-x)
    assert_close(mirrored, 1 - z)
    assert_same_bits(same_slope, slope)


def test_second_derivatives_are_right_at_0_where_the_two_sides_of_sigmoid_6_meet():
    """Of z^2 / 2: slope^2 + z slope', which is (1/4)^2 + 1/2 times 0."""
    curvature = jax.vmap(jax.grad(jax.grad(lambda x: sigmoid(x) ** 2 / 2)))(jnp.array([0.0, -0.0]))
    np.testing.assert_array_equal(curvature, [1 / 16, 1 / 16])


@each_dtype
def test_zero_large_and_infinite_inputs(dtype):
    """The slope is 1/4 at 0 and at -0, and 0 where z is 0 or 1; a NaN stays NaN."""
    x = jnp.array([0.0, -0.0, 1e4, -1e4, INF, -INF, NAN], dtype)
    z, (dx,) = value_and_cotangents(sigmoid, [x], jnp.arange(4, 11).astype(dtype))
    z, dx = z.astype("float64"), dx.astype("float64")
    np.testing.assert_array_equal(z, [0.5, 0.5, 1, 0, 1, 0, NAN])
    np.testing.assert_array_equal(dx, [1, 1.25, 0, 0, 0, 0, NAN])


@each_dtype
def test_both_tails_are_relatively_accurate(dtype):
    """The value on the left, the slope on both sides, down to the smallest normal numbers."""
    reach = -1 - float(np.log(jnp.finfo(dtype).tiny))
    x = jnp.linspace(-reach, reach, 401).astype(dtype)
    z, (dx,) = value_and_cotangents(sigmoid, [x], jnp.full_like(x, 1.5))
    z, dx, x = (np.asarray(array, np.float64) for array in (z, dx, x))
    allowed = tolerance(dtype)
    np.testing.assert_allclose(z, 1 / (1 + np.exp(-x)), allowed, 0)
    np.testing.assert_allclose(dx, 1.5 / (1 + np.exp(-x)) / (1 + np.exp(x)), allowed, 0)


def test_second_derivatives_are_finite_far_from_0():
    """Where exp(-x) overflows, those of the reference implementation are NaN."""
    x = jnp.array([1e4, -1e4, INF, -INF])
    curvature = jax.vmap(jax.grad(jax.grad(lambda x: sigmoid(x) ** 2)))(x)
    np.testing.assert_array_equal(curvature, [0, 0, 0, 0])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_value_and_residual_are_rounded_once(dtype):
    x = distinct(0, 3, 40).astype(dtype)
    wide = sigmoid_forward(x.astype("float32"))
    assert_same_bits(sigmoid_forward(x), tuple(array.astype(dtype) for array in wide))


def test_weak_types_keep_their_dtype():
    x = jnp.asarray(0.0)
    assert x.aval.weak_type
    z, (dx,) = jax.value_and_grad(sigmoid)(x), jax.vjp(sigmoid, x)[1](x + 8)
    assert_same_bits((*z, dx), (jnp.array(0.5), jnp.array(0.25), jnp.array(2.0)))


def test_a_nan_cotangent_affects_only_its_own_entry():
    _, (dx,) = value_and_cotangents(sigmoid, [jnp.zeros(2)], jnp.array([NAN, 4]))
    np.testing.assert_array_equal(dx, [NAN, 1])


def test_residual_is_the_slope_one_number_per_element():
    x = distinct(0, 3, 4)
    z, slope = sigmoid_forward(x)
    assert_close(slope, z * (1 - z))
    assert kept_residuals(sigmoid, x.astype("bfloat16")) == [("bfloat16", (3, 4))]


def test_integers_are_rejected():
    with pytest.raises(ValueError, match="sigmoid: x must be of a floating-point dtype, got int32"):
        sigmoid(jnp.ones(3, jnp.int32))
