import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import LEAKY_RELU
from ffnn_jax.layers import leaky_relu, leaky_relu_forward, relu
from tests.layers.checking import (
    assert_same_bits,
    assert_verified,
    distinct,
    kept_residuals,
    normal,
    value_and_cotangents,
)

NAN, INF = float("nan"), float("inf")
each_slope = pytest.mark.parametrize("slope", [0.0, 0.01, 0.3])


def with_slope(slope):
    return functools.partial(leaky_relu, slope=slope)


@pytest.mark.slow
def test_all_catalogue_checks_pass():
    """Autodiff of (leaky.1) gives (leaky.3), for slopes of 0.01 and 0.3."""
    assert_verified(LEAKY_RELU)


def test_jacobian_is_leaky_2():
    jacobian = jax.jacrev(with_slope(0.25))(jnp.array([-2.0, 3]))
    np.testing.assert_array_equal(jacobian, [[0.25, 0], [0, 1]])


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_derivative_at_the_kink_is_the_slope(dtype):
    """(leaky.2) leaves x = 0 open; this library takes the slope, at -0.0 too, and at NaN."""
    x = jnp.array([-0.0, 0.0, NAN, -INF, INF, -0.5, 0.5], dtype)
    z, (dx,) = value_and_cotangents(with_slope(0.25), [x], jnp.arange(1, 8).astype(dtype))
    z, dx = z.astype("float64"), dx.astype("float64")
    np.testing.assert_array_equal(z, [0, 0, NAN, -INF, INF, -0.125, 0.5])
    np.testing.assert_array_equal(dx, [0.25, 0.5, 0.75, 1, 5, 1.5, 7])


def bits(tree):
    return [(leaf.dtype, np.asarray(leaf).tobytes()) for leaf in jax.tree.leaves(tree)]


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize("slope", [0, 0.0, -0.0, np.float32(0)])
def test_slope_0_is_relu_bit_for_bit(slope, dtype):
    """Including signs of zeros: 0 times a negative number is -0.0, and times infinity NaN."""
    special = jnp.array([0.0, -0.0, 1, -1, INF, -INF, NAN])
    x, dz = jnp.broadcast_arrays(special[:, None], special[None, :])
    x, dz = (jnp.concatenate([a, normal(i, 9, 7)]).astype(dtype) for i, a in enumerate((x, dz)))
    ours, theirs = (value_and_cotangents(f, [x], dz) for f in (with_slope(slope), relu))
    assert bits(ours) == bits(theirs)


def test_a_slope_that_float16_represents_poorly_is_rounded_once_in_the_product():
    x = jnp.array([-60000.0, -2.0], "float16")
    z, (dx,) = value_and_cotangents(with_slope(1e-6), [x], -x)
    expected = (1e-6 * x.astype("float64")).astype("float16")
    assert_same_bits((z, dx), (expected, -expected))


def test_weak_types_keep_their_dtype():
    x = jnp.asarray(-2.0)
    assert x.aval.weak_type
    z, (dx,) = jax.value_and_grad(with_slope(0.25))(x), jax.vjp(with_slope(0.25), x)[1](x)
    assert_same_bits((*z, dx), (jnp.array(-0.5), jnp.array(0.25), jnp.array(-0.5)))


def test_largest_and_smallest_numbers_stay_finite():
    info = np.finfo(np.float32)
    x = jnp.array([info.max, -info.max, info.tiny, -4 * info.tiny], jnp.float32)
    z, (dx,) = value_and_cotangents(with_slope(0.25), [x], x)
    np.testing.assert_array_equal(z, [info.max, -info.max / 4, info.tiny, -info.tiny])
    np.testing.assert_array_equal(dx, z)


def test_a_nan_cotangent_affects_only_its_own_entry():
    x, dz = jnp.array([1.0, -1, 1, -1]), jnp.array([NAN, NAN, 4, 4])
    _, (dx,) = value_and_cotangents(with_slope(0.25), [x], dz)
    np.testing.assert_array_equal(dx, [NAN, NAN, 4, 1])


def test_the_default_slope_is_a_hundredth():
    x = distinct(0, 3, 4)
    assert_same_bits(leaky_relu(x), leaky_relu(x, 0.01))


@each_slope
def test_residual_is_one_boolean_per_element(slope):
    x = distinct(0, 3, 4)
    assert_same_bits(leaky_relu_forward(x, slope)[1], x > 0)
    assert kept_residuals(with_slope(slope), x) == [("bool", (3, 4))]


@pytest.mark.parametrize("slope", [-0.01, 1, 1.0, NAN, INF, True, False, "0.1", None, 0.1j])
def test_a_slope_outside_its_range_is_rejected(slope):
    with pytest.raises(ValueError, match="leaky_relu: slope must be a number of at least 0 and be"):
        leaky_relu(jnp.ones(3), slope)


def test_integers_are_rejected():
    with pytest.raises(
        ValueError, match="leaky_relu: x must be of a floating-point dtype, got int"
    ):
        leaky_relu(jnp.ones(3, jnp.int32))
