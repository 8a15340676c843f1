import functools
import itertools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import AVG_POOL
from ffnn_jax.layers import avg_pool, avg_pool_backward, avg_pool_forward
from tests.layers.checking import (
    assert_close,
    assert_same_rule,
    assert_verified,
    kept_residuals,
    normal,
    value_and_cotangents,
)
from tests.layers.geometries import WINDOWS, sampled, windows_in
from tests.layers.test_pool import image

NAN, INF = float("nan"), float("inf")
forward = jax.jit(avg_pool_forward, static_argnums=(1, 2, 3, 4))
backward = jax.jit(avg_pool_backward, static_argnums=(0, 1, 2, 3))


def configured(*settings, pool: Callable = avg_pool):
    names = "window", "stride", "padding", "count_padding"
    return functools.partial(pool, **dict(zip(names, settings, strict=False)))


@pytest.mark.slow
def test_all_catalogue_checks_pass():
    """Autodiff of (avg.1) gives (avg.4)."""
    assert_verified(AVG_POOL)


def test_equals_autodiff_of_the_reference():
    settings = 3, 2, 1, False
    pools = configured(*settings), configured(*settings, pool=AVG_POOL.reference)
    assert_same_rule(*pools, "2x5x8x3")


@sampled(WINDOWS)
def test_dx_is_the_sum_avg_4_over_the_windows_that_contain_the_pixel(geometry):
    """With the number of pixels of each window, (avg.2)."""
    (height, width), *settings = geometry
    rows, columns = (windows_in(size, *settings) for size in (height, width))
    x, dz = normal(0, 2, height, width, 3), normal(1, 2, len(rows), len(columns), 3)
    z, (dx,) = value_and_cotangents(configured(*settings, False), [x], dz)
    means, expected = np.zeros(z.shape), np.zeros(x.shape)
    for (i, r), (j, c) in itertools.product(enumerate(rows), enumerate(columns)):
        means[:, i, j] = x[:, r.start : r.stop, c.start : c.stop].mean((1, 2))
        share = dz[:, i : i + 1, j : j + 1] / (len(r) * len(c))
        expected[:, r.start : r.stop, c.start : c.stop] += share
    assert_close((z, dx), (jnp.asarray(means), jnp.asarray(expected)), 9)


@pytest.mark.parametrize(("count_padding", "counts"), [(True, [4, 4, 4]), (False, [1, 2, 1])])
def test_value_avg_1_counts_avg_2_and_cotangent_avg_4_worked_by_hand(count_padding, counts):
    """Windows of one, two and one pixels of the upper row, then the same of the lower row."""
    settings = 2, 1, 1, count_padding
    z, extent = forward(image([4.0, 8], [12, 16]), *settings)
    totals = np.array([[4.0, 12, 8], [16, 40, 24], [12, 28, 16]])
    divisors = 4 if count_padding else np.outer(counts, counts)
    np.testing.assert_array_equal(z[0, :, :, 0], totals / divisors)
    dz = np.array([[4.0, 8, 12], [16, 20, 24], [28, 32, 36]])
    (dx,) = backward(*settings, extent, jnp.asarray(dz)[None, :, :, None])
    by_hand = [[12, 16], [24, 28]] if count_padding else [[21, 33], [57, 69]]
    np.testing.assert_array_equal(dx[0, :, :, 0], by_hand)


def test_jacobian_is_avg_3_and_does_not_depend_on_x():
    """One window of the upper left pixels: its row has 1/4 for each, and 0 for the others."""
    jacobian = jax.jit(jax.jacrev(avg_pool))(normal(0, 1, 2, 3, 1)).reshape(6)
    np.testing.assert_array_equal(jacobian, [0.25, 0.25, 0, 0.25, 0.25, 0])


def test_adjacent_windows_are_the_default():
    x = normal(0, 2, 5, 7, 3)
    expected = x[:, :4, :6].reshape(2, 2, 2, 3, 2, 3).mean((2, 4))
    assert_close(avg_pool(x), expected, 4)


def test_a_constant_image_keeps_its_value_only_if_padding_is_not_counted():
    x = jnp.full((1, 4, 4, 1), 9.0)
    np.testing.assert_array_equal(forward(x, 3, 1, "SAME", False)[0], x)
    assert forward(x, 3, 1, "SAME")[0][0, 0, 0, 0] == 4


def test_a_nan_and_an_infinity_affect_only_their_own_windows():
    x = image([1.0, 2, INF, 4], [1, 2, 3, 4], [NAN, 2, 3, 4], [1, 2, 3, 4])
    np.testing.assert_array_equal(avg_pool(x)[0, :, :, 0], [[1.5, INF], [NAN, 3.5]])


def test_sums_are_accumulated_in_float32():
    """256 + 1 + ... + 1 in bfloat16 stays at 256, forward and backward."""
    x = jnp.ones((1, 4, 4, 1), "bfloat16").at[0, 0, 0, 0].set(256)
    assert forward(x, 4)[0][0, 0, 0, 0] == jnp.bfloat16(271 / 16)
    dz = jnp.full((1, 3, 3, 1), 9, "bfloat16").at[0, 0, 0, 0].set(9 * 256)
    _, extent = forward(jnp.zeros((1, 5, 5, 1), "bfloat16"), 3, 1)
    (dx,) = backward(3, 1, "VALID", True, extent, dz)
    assert dx[0, 2, 2, 0] == 264


def test_the_residual_is_the_extent_of_x():
    assert kept_residuals(avg_pool, normal(0, 2, 5, 7, 3)) == [("float64", (0, 5, 7))]


@pytest.mark.parametrize("bad", [1, 0, None, "False"])
def test_count_padding_is_true_or_false(bad):
    with pytest.raises(ValueError, match="avg_pool: count_padding must be True or False, got"):
        avg_pool(jnp.ones((1, 4, 4, 1)), 2, None, "VALID", bad)


def test_padding_of_the_window_s_size_is_rejected():
    """A window without a pixel would have the count 0."""
    with pytest.raises(ValueError, match=r"avg_pool: padding must be .* below the window, got 2"):
        avg_pool(jnp.ones((1, 4, 4, 1)), 2, 1, 2)
