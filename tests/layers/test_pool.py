import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import MAX_POOL
from ffnn_jax.layers import max_pool, max_pool_backward, max_pool_forward
from tests.layers.checking import (
    assert_same_bits,
    assert_verified,
    distinct,
    kept_residuals,
    normal,
    value_and_cotangents,
)

NAN, INF = float("nan"), float("inf")


def image(*rows: list[float]) -> jax.Array:
    return jnp.array(rows)[None, :, :, None]


def input_cotangent(x: jax.Array, dz: jax.Array, window: int = 2) -> jax.Array:
    pool = functools.partial(max_pool, window=window)
    return value_and_cotangents(pool, [x], dz)[1][0]


def test_all_catalogue_checks_pass():
    """Autodiff of (pool.1) gives (pool.4)."""
    assert_verified(MAX_POOL)


def test_value_pool_1_argmax_pool_2_and_cotangent_pool_4_worked_by_hand():
    x = image([1.0, 2, 5, 6], [4, 3, 8, 7])
    z, residuals = max_pool_forward(x, 2)
    np.testing.assert_array_equal(z.ravel(), [4, 8])
    np.testing.assert_array_equal(residuals.argmax.ravel(), [2, 2])
    (dx,) = max_pool_backward(2, residuals, jnp.array([10.0, 20]).reshape(z.shape))
    np.testing.assert_array_equal(dx[0, :, :, 0], [[0, 0, 0, 0], [10, 0, 20, 0]])


def test_argmax_pool_2_numbers_the_entries_in_row_major_order():
    windows = [jnp.zeros((3, 3)).at[u, v].set(1) for u in range(3) for v in range(3)]
    _, residuals = max_pool_forward(jnp.stack(windows)[..., None], 3)
    np.testing.assert_array_equal(residuals.argmax.ravel(), range(9))


def test_jacobian_pool_3_is_one_at_the_argmax_and_zero_elsewhere():
    x = distinct(0, 1, 4, 4, 1)
    jacobian = jax.jacrev(max_pool)(x).reshape(4, 16)
    positions = [jnp.argmax(x.ravel() == z) for z in max_pool(x).ravel()]
    np.testing.assert_array_equal(jacobian, np.eye(16)[np.array(positions)])


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_a_tie_goes_to_the_first_in_row_major_order(dtype):
    """(pool.2) on equal entries: top right comes before bottom left; 0.0 equals -0.0."""
    x = image([1.0, 7, 3, 3, -0.0, 0.0], [7, 7, 3, 3, 0.0, -0.0]).astype(dtype)
    dx = input_cotangent(x, jnp.array([1, 2, 3]).reshape(1, 1, 3, 1).astype(dtype))
    np.testing.assert_array_equal(
        dx[0, :, :, 0].astype(float), [[0, 1, 2, 0, 3, 0], [0, 0, 0, 0, 0, 0]]
    )


def test_the_first_nan_of_a_window_is_its_maximum():
    x = image([1.0, NAN, NAN, 9, INF, 2], [NAN, 9, 8, NAN, 5, NAN])
    np.testing.assert_array_equal(max_pool(x).ravel(), [NAN, NAN, NAN])
    dx = input_cotangent(x, jnp.array([1.0, 2, 3]).reshape(1, 1, 3, 1))
    np.testing.assert_array_equal(dx[0, :, :, 0], [[0, 1, 2, 0, 0, 0], [0, 0, 0, 0, 0, 3]])


def test_infinities_are_treated_as_ordinary_numbers():
    x = image([-INF, -INF, 1.0, INF], [-INF, -INF, INF, 2.0])
    np.testing.assert_array_equal(max_pool(x).ravel(), [-INF, INF])
    dx = input_cotangent(x, jnp.array([1.0, 2]).reshape(1, 1, 2, 1))
    np.testing.assert_array_equal(dx[0, :, :, 0], [[1, 0, 0, 2], [0, 0, 0, 0]])


def test_rows_and_columns_that_do_not_fill_a_window_are_dropped():
    """(pool.4) has no window for them: their cotangent is 0, however large they are."""
    x = distinct(0, 2, 5, 7, 3).at[:, 4].set(INF).at[:, :, 6].set(NAN)
    z, (dx,) = value_and_cotangents(max_pool, [x], 1 + normal(1, 2, 2, 3, 3) ** 2)
    assert_same_bits(z, max_pool(x[:, :4, :6]))
    np.testing.assert_array_equal(dx[:, 4], 0)
    np.testing.assert_array_equal(dx[:, :, 6], 0)
    np.testing.assert_array_equal((dx[:, :4, :6] > 0).sum((1, 2)), np.full((2, 3), 6))


def test_residual_is_one_byte_per_output_without_x():
    x = distinct(0, 2, 5, 7, 3)
    assert kept_residuals(max_pool, x) == [("float64", (0, 5, 7)), ("int8", (2, 2, 3, 3))]


@pytest.mark.parametrize(("window", "index_dtype"), [(11, "int8"), (12, "int32")])
def test_the_argmax_of_a_large_window_has_a_dtype_that_can_hold_it(window, index_dtype):
    x = jnp.zeros((1, window, window, 1)).at[0, -1, -1, 0].set(1)
    argmax = jax.jit(max_pool_forward, static_argnums=1)(x, window)[1].argmax
    assert argmax.dtype == index_dtype
    assert argmax.item() == window**2 - 1


@pytest.mark.parametrize(
    ("shape", "window", "message"),
    [
        ((4, 4, 1), 2, "x must be of shape"),
        ((1, 4, 4, 1), 0, "window must be an integer"),
        ((1, 4, 4, 1), 2.0, "window must be an integer"),
        ((1, 4, 2, 1), 3, "window must be no larger than the image .4, 2., got 3"),
    ],
)
def test_shapes_and_windows_that_do_not_fit_are_rejected(shape, window, message):
    with pytest.raises(ValueError, match="max_pool: " + message):
        max_pool(jnp.ones(shape), window)


def test_integers_are_rejected():
    with pytest.raises(
        ValueError, match="max_pool: x must be of a floating-point dtype, got uint8"
    ):
        max_pool(jnp.ones((1, 4, 4, 1), jnp.uint8))
