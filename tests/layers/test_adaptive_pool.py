import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import ADAPTIVE_AVG_POOL, GLOBAL_AVG_POOL
from ffnn_jax.layers import (
    adaptive_avg_pool,
    adaptive_avg_pool_backward,
    adaptive_avg_pool_forward,
    avg_pool,
    global_avg_pool,
)
from tests.layers.checking import (
    assert_close,
    assert_same_rule,
    assert_verified,
    kept_residuals,
    normal,
    value_and_cotangents,
)
from tests.layers.test_pool import image

NAN, INF = float("nan"), float("inf")
forward = jax.jit(adaptive_avg_pool_forward, static_argnums=1)
backward = jax.jit(adaptive_avg_pool_backward, static_argnums=0)


@pytest.mark.slow
@pytest.mark.parametrize("spec", [GLOBAL_AVG_POOL, ADAPTIVE_AVG_POOL], ids=lambda spec: spec.name)
def test_all_catalogue_checks_pass(spec):
    """Autodiff of (adaptive.1) gives (adaptive.2), and of (adaptive.4) gives (adaptive.5)."""
    assert_verified(spec)


def test_global_pooling_equals_autodiff_of_the_mean():
    assert_same_rule(global_avg_pool, GLOBAL_AVG_POOL.reference, "2x5x4x3")


@pytest.mark.parametrize("size", [(3, 2), (2, 7)])
def test_adaptive_pooling_equals_autodiff_of_the_reference(size):
    """Fewer bins than pixels, and more."""
    ours = functools.partial(adaptive_avg_pool, size=size)
    reference = functools.partial(ADAPTIVE_AVG_POOL.reference, size=size)
    assert_same_rule(ours, reference, "2x5x4x3")


@pytest.mark.parametrize(("size", "count"), [(5, 3), (3, 5)])
def test_the_bins_of_a_row_adaptive_6_and_7_are_those_of_the_exchanged_sizes(size, count):
    """By (adaptive.7), one bin at a time: dx is not 0 in the rows that have the bin."""
    _, extent = forward(normal(0, count, size, 1, 1), (count, 1))
    (dx,) = backward((count, 1), extent, jnp.eye(count)[:, :, None, None])
    begin, end = np.arange(size) * count // size, -(-np.arange(1, size + 1) * count // size)
    bins = np.arange(count)[:, None]
    np.testing.assert_array_equal(dx[:, :, 0, 0] > 0, (begin <= bins) & (bins < end))


def test_adaptive_pooling_to_one_pixel_is_global_pooling():
    x, dz = normal(0, 2, 5, 4, 3), normal(1, 2, 3)
    ours = value_and_cotangents(lambda x: adaptive_avg_pool(x, 1)[:, 0, 0], [x], dz)
    assert_close(ours, value_and_cotangents(global_avg_pool, [x], dz), 20)


def test_adaptive_pooling_to_a_divisor_is_average_pooling():
    x, dz = normal(0, 2, 6, 9, 3), normal(1, 2, 2, 3, 3)
    ours = value_and_cotangents(lambda x: adaptive_avg_pool(x, (2, 3)), [x], dz)
    assert_close(ours, value_and_cotangents(lambda x: avg_pool(x, 3), [x], dz), 9)


def test_adaptive_pooling_to_the_image_s_own_size_is_the_identity():
    x = normal(0, 2, 4, 5, 3)
    np.testing.assert_array_equal(forward(x, (4, 5))[0], x)


def test_a_nan_and_an_infinity_affect_only_their_own_bins():
    z, _ = forward(image([1.0, 2, 3, NAN], [INF, 2, 3, 4]), 2)
    np.testing.assert_array_equal(z[0, :, :, 0], [[1.5, NAN], [INF, 3.5]])


def test_sums_are_accumulated_in_float32():
    """256 + 1 + ... + 1 in bfloat16 stays at 256."""
    x = jnp.ones((1, 4, 4, 1), "bfloat16").at[0, 0, 0, 0].set(256)
    assert global_avg_pool(x)[0, 0] == forward(x, 1)[0][0, 0, 0, 0] == jnp.bfloat16(271 / 16)


def test_the_residual_is_the_extent_of_x():
    x = normal(0, 2, 5, 7, 3)
    assert kept_residuals(global_avg_pool, x) == [("float64", (0, 5, 7))]
    assert kept_residuals(lambda x: adaptive_avg_pool(x, 3), x) == [("float64", (0, 5, 7))]


@pytest.mark.parametrize("size", [0, 2.0, True, (2,), (2, 0), (1, 2, 3), [2, 2], None])
def test_a_size_that_is_not_one_or_two_positive_integers_is_rejected(size):
    with pytest.raises(ValueError, match="adaptive_avg_pool: size must be an integer of at le"):
        adaptive_avg_pool(jnp.ones((1, 4, 4, 1)), size)


@pytest.mark.parametrize("shape", [(4, 4, 1), (1, 0, 4, 1)])
def test_what_is_not_images_with_a_pixel_is_rejected(shape):
    with pytest.raises(ValueError, match="global_avg_pool: x must be of shape"):
        global_avg_pool(jnp.ones(shape))
    with pytest.raises(ValueError, match="adaptive_avg_pool: x must be of shape"):
        adaptive_avg_pool(jnp.ones(shape), 2)
