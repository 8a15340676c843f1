import functools
import itertools
from collections.abc import Callable

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
from tests.layers.geometries import WINDOWS, sampled, windows_in

NAN, INF = float("nan"), float("inf")
forward = jax.jit(max_pool_forward, static_argnums=(1, 2, 3))
backward = jax.jit(max_pool_backward, static_argnums=(0, 1, 2))


def image(*rows: list[float]) -> jax.Array:
    return jnp.array(rows)[None, :, :, None]


def configured(*settings, pool: Callable = max_pool):
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


@sampled(WINDOWS)
def test_dx_is_the_sum_pool_4_over_the_windows_that_contain_the_pixel(geometry):
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


def test_argmaxes_pool_2_worked_by_hand():
    """In the overlapping windows the 9 is the last pixel of the first, the first of the last."""
    _, residuals = forward(image([1.0, 2, 5, 6], [4, 3, 8, 7]), 2)
    np.testing.assert_array_equal(residuals.argmax.ravel(), [2, 2])
    x = image([1.0, 2, 3, 4, 0], [5, 6, 3, 8, 7], [0, 1, 9, 3, 2], [4, 5, 6, 7, 8], [0, 1, 2, 3, 9])
    _, residuals = forward(x, 3, 2)
    np.testing.assert_array_equal(residuals.argmax[0, :, :, 0], [[8, 6], [2, 0]])


def test_padding_never_wins_worked_by_hand():
    """Not against negative numbers, nor minus infinity; its argmax is that of a pixel."""
    z, residuals = forward(image([-INF, -2.0], [-3.0, -INF]), 2, 2, 1)
    np.testing.assert_array_equal(z[0, :, :, 0], [[-INF, -2], [-3, -INF]])
    np.testing.assert_array_equal(residuals.argmax[0, :, :, 0], [[3, 2], [1, 0]])
    (dx,) = backward(2, 2, 1, residuals, image([1.0, 2], [3, 4]))
    np.testing.assert_array_equal(dx[0, :, :, 0], [[1, 2], [3, 4]])


@pytest.mark.parametrize("fill", [1.0, -INF, NAN])
def test_with_padding_a_tie_goes_to_the_first_pixel(fill):
    """The windows' first pixels are (0, 0), (0, 1), (1, 0) and (1, 1): the pads come before."""
    dx = input_cotangent(
        jnp.full((1, 2, 2, 1), fill), image([1.0, 2, 3], [4, 5, 6], [7, 8, 9]), 2, 1, 1
    )
    np.testing.assert_array_equal(dx[0, :, :, 0], [[12, 9], [15, 9]])


def test_argmax_pool_2_numbers_the_entries_in_row_major_order():
    windows = [jnp.zeros((3, 3)).at[u, v].set(1) for u in range(3) for v in range(3)]
    _, residuals = forward(jnp.stack(windows)[..., None], 3)
    np.testing.assert_array_equal(residuals.argmax.ravel(), range(9))


def test_jacobian_pool_3_is_one_at_the_argmax_and_zero_elsewhere():
    x = distinct(0, 1, 4, 4, 1)
    jacobian = jax.jit(jax.jacrev(max_pool))(x).reshape(4, 16)
    positions = [jnp.argmax(x.ravel() == z) for z in max_pool(x).ravel()]
    np.testing.assert_array_equal(jacobian, np.eye(16)[np.array(positions)])


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_a_tie_goes_to_the_first_in_row_major_order(dtype):
    """(pool.2) on equal entries: top right comes before bottom left; 0.0 equals -0.0."""
    x = image([1.0, 7, 3, 3, -0.0, 0.0], [7, 7, 3, 3, 0.0, -0.0]).astype(dtype)
    dx = input_cotangent(x, image([1.0, 2, 3]).astype(dtype))
    np.testing.assert_array_equal(
        dx[0, :, :, 0].astype(float), [[0, 1, 2, 0, 3, 0], [0, 0, 0, 0, 0, 0]]
    )


def test_the_first_nan_of_a_window_is_its_maximum():
    x = image([1.0, NAN, NAN, 9, INF, 2], [NAN, 9, 8, NAN, 5, NAN])
    z, (dx,) = value_and_cotangents(max_pool, [x], image([1.0, 2, 3]))
    np.testing.assert_array_equal(z.ravel(), [NAN, NAN, NAN])
    np.testing.assert_array_equal(dx[0, :, :, 0], [[0, 1, 2, 0, 0, 0], [0, 0, 0, 0, 0, 3]])


def test_rows_and_columns_that_do_not_fill_a_window_are_dropped():
    """(pool.4) has no window for them: their cotangent is 0, however large they are."""
    x = distinct(0, 2, 5, 7, 3).at[:, 4].set(INF).at[:, :, 6].set(NAN)
    z, (dx,) = value_and_cotangents(max_pool, [x], 1 + normal(1, 2, 2, 3, 3) ** 2)
    expected = np.asarray(x[:, :4, :6]).reshape(2, 2, 2, 3, 2, 3).max((2, 4))
    np.testing.assert_array_equal(z, expected)
    np.testing.assert_array_equal(dx[:, 4], 0)
    np.testing.assert_array_equal(dx[:, :, 6], 0)
    np.testing.assert_array_equal((dx[:, :4, :6] > 0).sum((1, 2)), np.full((2, 3), 6))


def test_the_default_is_adjacent_windows_without_padding():
    """The two ways to compute (pool.1) agree: a reduction, and comparisons."""
    x, dz = distinct(0, 2, 4, 7, 3), normal(1, 2, 2, 3, 3)
    default = value_and_cotangents(max_pool, [x], dz)
    assert_same_bits(default, value_and_cotangents(configured(2, 2, 0), [x], dz))


def test_the_sum_of_many_dz_is_accumulated_in_float32():
    """256 + 1 + ... + 1 in bfloat16 stays at 256."""
    x = jnp.zeros((1, 5, 5, 1), "bfloat16").at[0, 2, 2, 0].set(1)
    dz = jnp.ones((1, 3, 3, 1), "bfloat16").at[0, 0, 0, 0].set(256)
    assert input_cotangent(x, dz, 3, 1)[0, 2, 2, 0] == 264


def test_residual_is_one_byte_per_output_without_x():
    x = distinct(0, 2, 5, 7, 3)
    assert kept_residuals(max_pool, x) == [("float64", (0, 5, 7)), ("int8", (2, 2, 3, 3))]


@pytest.mark.parametrize(("window", "index_dtype"), [(11, "int8"), (12, "int32")])
def test_the_argmax_of_a_large_window_has_a_dtype_that_can_hold_it(window, index_dtype):
    """The last number of a window is 120 or 143; int8 ends at 127."""
    x = jnp.zeros((1, window, window, 1))
    kept = jax.eval_shape(functools.partial(max_pool_forward, window=window), x)[1]
    assert kept.argmax.dtype == index_dtype


@pytest.mark.parametrize(
    ("shape", "settings", "message"),
    [
        ((4, 4, 1), (2,), "x must be of shape"),
        ((1, 4, 4, 1), (0,), "window must be an integer"),
        ((1, 4, 4, 1), (2.0,), "window must be an integer"),
        ((1, 4, 2, 1), (3,), "window must be no larger than the padded image .4, 2., got 3"),
        ((1, 4, 4, 1), (7, 1, 1), "window must be no larger than the padded image .6, 6., got 7"),
        ((1, 0, 4, 1), (2, 1, "SAME"), "window must be no larger"),
        ((1, 4, 4, 1), (2, 0), "stride must be None or an integer of at least 1, got 0"),
        ((1, 4, 4, 1), (2, 1, 2), 'padding must be "SAME", "VALID" or at least 0 and below the'),
        ((1, 4, 4, 1), (2, 1, "same"), "padding must be .*, got 'same'"),
        ((1, 4, 4, 1), (2, 1, True), "padding must be .*, got True"),
    ],
)
def test_shapes_and_settings_that_do_not_fit_are_rejected(shape, settings, message):
    """Padding of the window's size would make windows without a pixel."""
    with pytest.raises(ValueError, match="max_pool: " + message):
        max_pool(jnp.ones(shape), *settings)


def test_integers_are_rejected():
    with pytest.raises(
        ValueError, match="max_pool: x must be of a floating-point dtype, got uint8"
    ):
        max_pool(jnp.ones((1, 4, 4, 1), jnp.uint8))
