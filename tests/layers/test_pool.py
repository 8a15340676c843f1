import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import MAX_POOL
from ffnn_jax.layers import max_pool, max_pool_backward, max_pool_forward
from tests.layers.checking import (
    assert_same_bits,
    assert_same_rule,
    assert_verified,
    distinct,
    kept_residuals,
    normal,
    value_and_cotangents,
)
from tests.layers.geometries import WINDOWS, windows_in

NAN, INF = float("nan"), float("inf")


def image(*rows: list[float]) -> jax.Array:
    return jnp.array(rows)[None, :, :, None]


def configured(*settings, pool=max_pool):
    names = "window", "stride", "padding"
    return functools.partial(pool, **dict(zip(names, settings, strict=False)))


def input_cotangent(x: jax.Array, dz: jax.Array, *settings) -> jax.Array:
    return value_and_cotangents(configured(*settings), [x], dz)[1][0]


@pytest.mark.slow
def test_all_catalogue_checks_pass():
    """Autodiff of (pool.1) gives (pool.6)."""
    assert_verified(MAX_POOL)


def test_equals_autodiff_of_the_reference():
    settings = 3, 2, 1
    pools = configured(*settings), configured(*settings, pool=MAX_POOL.reference)
    assert_same_rule(*pools, "2x5x8x3")


@pytest.mark.parametrize("geometry", WINDOWS.values(), ids=WINDOWS.keys())
def test_dx_is_the_sum_pool_4_over_the_windows_that_contain_the_pixel(geometry):
    """Window by window, and pool_5 in its test of many strides: where a window is."""
    (height, width), *settings = geometry
    rows, columns = (windows_in(size, *settings) for size in (height, width))
    x, dz = distinct(0, 2, height, width, 3), normal(1, 2, len(rows), len(columns), 3)
    z, (dx,) = value_and_cotangents(configured(*settings), [x], dz)
    expected = np.zeros(x.shape)
    for (i, r), (j, c) in itertools.product(enumerate(rows), enumerate(columns)):
        pixels = x[:, r.start : r.stop, c.start : c.stop]
        maximum = np.max(pixels, axis=(1, 2), keepdims=True)
        np.testing.assert_array_equal(z[:, i : i + 1, j : j + 1], maximum)
        received = np.where(pixels == maximum, dz[:, i : i + 1, j : j + 1], 0)
        expected[:, r.start : r.stop, c.start : c.stop] += received
    np.testing.assert_allclose(dx, expected, rtol=1e-14)
