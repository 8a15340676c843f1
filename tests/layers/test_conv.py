import functools
import itertools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import CONV2D
from ffnn_jax.layers import conv2d, conv2d_backward, conv2d_forward
from ffnn_jax.layers._geometry import Windows
from ffnn_jax.layers.fast._depthwise_conv import (
    depthwise_conv2d,
    depthwise_conv2d_images,
    depthwise_conv2d_kernels,
)
from ffnn_jax.layers.fast._pair_conv import pair_conv2d, pair_conv2d_kernels
from ffnn_jax.layers.fast._row_conv import row_conv2d, row_conv2d_images, row_conv2d_kernels
from tests.layers.checking import (
    assert_close,
    assert_same_bits,
    assert_same_rule,
    assert_verified,
    kept_residuals,
    normal,
    value_and_cotangents,
)
from tests.layers.geometries import GEOMETRIES, drawn, sampled, static


def conv2d_of_lax(x, w, b, padding="SAME", stride=1, dilation=1, groups=1):
    """(conv.1) as users of JAX write it."""
    z = jax.lax.conv_general_dilated(
        x,
        w,
        (stride, stride),
        padding if isinstance(padding, str) else [(padding, padding)] * 2,
        rhs_dilation=(dilation, dilation),
        feature_group_count=groups,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return z + b.reshape(1, 1, 1, -1)


def configured(*settings: int | str, f: Callable = conv2d) -> Callable:
    return functools.partial(f, **static(*settings))


@pytest.mark.slow
def test_all_catalogue_checks_pass():
    """Autodiff of (conv.1) gives (conv.4), (conv.5), (conv.8)."""
    assert_verified(CONV2D)


@sampled(GEOMETRIES)
def test_equals_autodiff_of_laxs_own_convolution(geometry):
    image, kernel, *settings = geometry
    arguments = drawn(image, kernel, groups=static(*settings)["groups"])
    shapes = ["x".join(map(str, array.shape)) for array in arguments]
    assert_same_rule(configured(*settings), configured(*settings, f=conv2d_of_lax), *shapes)


def test_the_default_is_same_with_stride_1():
    x, w, b = drawn((7, 6), (3, 5))
    assert_same_bits(conv2d(x, w, b), conv2d(x, w, b, "SAME", 1))
    assert conv2d(x, w, b).shape == (2, 7, 6, 4)


def test_value_is_conv_3_and_cotangents_are_those_of_the_dense_layer_with_rows_conv_2():
    """P of (conv.2) by its indices; then Z of (conv.3), dW of (conv.4), db of (conv.5)."""
    x, w, b = drawn((7, 6), (2, 3))
    positions = list(itertools.product(range(2), range(3), range(2)))
    rows = [x[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 3].ravel() for n, i, j in positions]
    dz = normal(3, 2, 3, 2, 4)
    z, (_, dw, db) = value_and_cotangents(configured(0, 2), (x, w, b), dz)
    p, z_rows = jnp.stack(rows), dz.reshape(12, 4)
    assert_close(z.reshape(12, 4), p @ w.reshape(18, 4) + b[None, :], 18)
    assert_close(dw.reshape(18, 4), p.T @ z_rows, 12)
    assert_close(db, z_rows.T @ jnp.ones(12), 12)


def test_dx_is_the_sum_conv_6_over_the_outputs_that_a_pixel_enters():
    x, w, b = drawn((7, 6), (2, 3))
    dz = normal(3, 2, 3, 2, 4)
    _, (dx, _, _) = value_and_cotangents(configured(0, 2), (x, w, b), dz)
    expected = np.zeros(x.shape)
    dz, w = np.asarray(dz), np.asarray(w)
    for h, v, i, j in itertools.product(range(7), range(6), range(3), range(2)):
        if 0 <= h - 2 * i < 2 and 0 <= v - 2 * j < 3:
            expected[:, h, v] += dz[:, i, j] @ w[h - 2 * i, v - 2 * j].T
    assert_close(dx, expected, 8)
    np.testing.assert_array_equal(dx[:, 6], 0)
    np.testing.assert_array_equal(dx[:, :, 5], 0)


def test_dx_is_conv_7_a_convolution_of_the_dilated_dz_with_the_rotated_kernel():
    x, w, b = drawn((7, 6), (2, 3))
    dz = normal(3, 2, 3, 2, 4)
    _, (dx, _, _) = value_and_cotangents(configured(0, 2), (x, w, b), dz)
    dilated = jnp.zeros((2, 8, 8, 4)).at[:, 1:6:2, 2:5:2].set(dz)
    rotated = jnp.einsum("uvck->uvkc", w[::-1, ::-1])
    assert_close(
        dx, jax.jit(CONV2D.reference, static_argnums=3)(dilated, rotated, jnp.zeros(3), 0), 24
    )


def test_dx_is_conv_8_the_padded_image_s_dx_without_its_pads():
    x, w, b = drawn((5, 4), (2, 3))
    padded = jnp.pad(x, ((0, 0), (3, 3), (3, 3), (0, 0)))
    dz = normal(3, 2, 10, 8, 4)
    _, (dx, _, _) = value_and_cotangents(configured(3, 1), (x, w, b), dz)
    _, (dx_padded, _, _) = value_and_cotangents(configured(0, 1), (padded, w, b), dz)
    assert_close(dx, dx_padded[:, 3:8, 3:7], 24)


def test_dx_with_a_stride_adds_where_windows_overlap_by_conv_9_and_10():
    """Kernel 1 2 4, stride 2: dP of (conv.9) is 1 2 4 and 10 20 40, and (conv.10) adds them."""
    x, w = jnp.zeros((1, 1, 5, 1)), jnp.array([1.0, 2, 4]).reshape(1, 3, 1, 1)
    dz = jnp.array([1.0, 10]).reshape(1, 1, 2, 1)
    dx, _, _ = conv2d_backward("VALID", 2, 1, 1, (x, w), dz)
    np.testing.assert_array_equal(dx.ravel(), [1, 2, 4 + 10, 20, 40])


def test_a_dilated_kernel_skips_pixels_forward_and_back():
    x, w = jnp.arange(1.0, 6).reshape(1, 1, 5, 1), jnp.array([1.0, 10]).reshape(1, 2, 1, 1)
    z, residuals = conv2d_forward(x, w, jnp.zeros(1), "VALID", 1, 3)
    np.testing.assert_array_equal(z.ravel(), [1 + 40, 2 + 50])
    dz = jnp.array([1.0, 2]).reshape(1, 1, 2, 1)
    dx, dw, _ = conv2d_backward("VALID", 1, 3, 1, residuals, dz)
    np.testing.assert_array_equal(dx.ravel(), [1, 2, 0, 10, 20])
    np.testing.assert_array_equal(dw.ravel(), [1 + 4, 4 + 10])


def test_groups_are_convolutions_of_their_own_by_conv_11():
    x, w, b = drawn((5, 4), (3, 2), groups=2)
    dz = normal(3, 2, 5, 4, 4)
    z, (dx, dw, db) = value_and_cotangents(configured("SAME", 1, 1, 2), (x, w, b), dz)
    for g in (slice(0, 2), slice(2, 4)):
        own = x[..., g], w[..., g], b[g]
        alone = value_and_cotangents(configured("SAME", 1), own, dz[..., g])
        assert_close((z[..., g], (dx[..., g], dw[..., g], db[g])), alone, 48)


def test_the_three_maps_are_adjoint_by_conv_12():
    x, w, b = drawn((7, 6), (2, 3))
    y, rule = normal(3, 2, 3, 2, 4), configured(0, 2)
    z, (dx, dw, _) = value_and_cotangents(rule, (x, w, 0 * b), y)
    assert_close(jnp.sum(z * y), jnp.sum(dx * x), 48)
    assert_close(jnp.sum(z * y), jnp.sum(dw * w), 48)


def test_residuals_are_only_x_and_w():
    x, w, b = drawn((4, 3), (2, 3))
    residuals = jax.jit(conv2d_forward, static_argnums=(3, 4))(x, w, b, 1, 2)[1]
    assert_same_bits(residuals, (x, w))
    kept = kept_residuals(jax.jit(configured(1, 2)), x, w, b)
    assert kept == [("float64", (2, 3, 3, 4)), ("float64", (2, 4, 3, 3))]


def test_row_1_to_3_worked_by_hand():
    """Two rows of three pixels, a kernel of two by two: R, Y and z of the first image row."""
    x, w = jnp.arange(1.0, 7).reshape(1, 2, 3, 1), jnp.arange(1.0, 5).reshape(2, 2, 1, 1)
    z = row_conv2d(x, w, Windows(((0, 0), (1, 0))))
    # R = [[1, 4], [2, 5], [3, 6]]; W' = [[1, 2], [3, 4]]; Y = [[13, 18], [17, 24], [21, 30]]
    np.testing.assert_array_equal(z[0, 0, :, 0], [18, 13 + 24, 17 + 30])


def test_row_4_to_7_worked_by_hand():
    x, w = jnp.arange(1.0, 7).reshape(1, 2, 3, 1), jnp.arange(1.0, 5).reshape(2, 2, 1, 1)
    dz = jnp.array([1.0, 10, 100]).reshape(1, 1, 3, 1)
    windows = Windows(((0, 0), (1, 0)))
    dx = row_conv2d_images(dz, w, (2, 3), windows)
    dw = row_conv2d_kernels(x, dz, (2, 2), windows)
    # dY = [[10, 1], [100, 10], [0, 100]]; dR = dY W'^T = [[12, 34], [120, 340], [200, 400]]
    np.testing.assert_array_equal(dx[0, :, :, 0], [[12, 120, 200], [34, 340, 400]])
    np.testing.assert_array_equal(dw[:, :, 0, 0], [[210, 321], [540, 654]])


def test_pair_1_to_3_worked_by_hand():
    """One row of three pixels, two outputs, a kernel of one by two."""
    x, w = jnp.array([1.0, 2, 3]).reshape(1, 1, 3, 1), jnp.array([10.0, 1]).reshape(1, 2, 1, 1)
    z = pair_conv2d(x, w, Windows(((0, 0), (0, 0))))
    # P = [[1, 2, 3]]; W = [[10, 0], [1, 10], [0, 1]]
    np.testing.assert_array_equal(z.ravel(), [10 + 2, 20 + 3])


def test_pair_4_and_5_worked_by_hand():
    x, dz = jnp.array([1.0, 2, 3]).reshape(1, 1, 3, 1), jnp.array([1.0, 10]).reshape(1, 1, 2, 1)
    dw = pair_conv2d_kernels(x, dz, (1, 2), Windows(((0, 0), (0, 0))))
    # P = [[1, 2, 3]]; dW = [[1, 10], [2, 20], [3, 30]]
    np.testing.assert_array_equal(dw.ravel(), [1 + 20, 2 + 30])


def test_shift_1_to_3_worked_by_hand():
    """A row of three pixels with two channels, two outputs each; kernels of two entries."""
    x = jnp.array([[1.0, 10], [2, 20], [3, 30]]).reshape(1, 1, 3, 2)
    w = jnp.array([[1.0, 2, 3, 4], [5, 6, 7, 8]]).reshape(1, 2, 1, 4)
    windows = Windows(((0, 0), (0, 0)), groups=2)
    z = depthwise_conv2d(x, w, windows)
    np.testing.assert_array_equal(z[0, 0], [[11, 14, 170, 200], [17, 22, 270, 320]])
    dz = jnp.array([[1.0, 0, 0, 1], [0, 1, 1, 0]]).reshape(1, 1, 2, 4)
    dx = depthwise_conv2d_images(dz, w, (1, 3), windows)
    np.testing.assert_array_equal(dx[0, 0], [[1, 4], [5 + 2, 8 + 3], [6, 7]])
    dw = depthwise_conv2d_kernels(x, dz, (1, 2), windows)
    np.testing.assert_array_equal(dw[0, :, 0], [[1, 2, 20, 10], [2, 3, 30, 20]])


@pytest.mark.parametrize(
    ("x", "w", "b", "message"),
    [
        ((5, 5, 3), (3, 3, 3, 4), (4,), "x must be of shape"),
        ((1, 5, 5, 2), (3, 3, 3, 4), (4,), "x must be of shape .N, H, W, 3., got .1, 5, 5, 2"),
        ((1, 5, 5, 3), (3, 3, 3), (4,), "w must be of shape"),
        ((1, 5, 5, 3), (0, 3, 3, 4), (4,), "w must be of shape"),
        ((1, 5, 5, 3), (3, 3, 3, 4), (3,), "b must be of shape .4,., got .3,"),
        ((1, 5, 5, 3), (6, 3, 3, 4), (4,), "w must be no larger than the padded image .5"),
        ((1, 5, 5, 3), (3, 6, 3, 4), (4,), "w must be no larger than the padded image .5"),
    ],
)
def test_shapes_that_do_not_match_are_rejected(x, w, b, message):
    with pytest.raises(ValueError, match="conv2d: " + message):
        conv2d(jnp.ones(x), jnp.ones(w), jnp.ones(b), "VALID")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("SAME", 0), "stride must be an integer of at least 1, got 0"),
        (("SAME", 1.0), "stride must be"),
        ((-1, 1), 'padding must be "SAME", "VALID" or at least 0, got -1'),
        (("same", 1), "padding must be .* got 'same'"),
        ((1.5, 1), "padding must be"),
        ((((0, 1), (1,)), 1), "padding must be"),
        (("SAME", 1, 0), "dilation must be an integer of at least 1, got 0"),
        (("VALID", 1, 4), "w must be no larger than the padded image"),
        (("SAME", 1, 1, 0), "groups must be an integer of at least 1, got 0"),
        (("SAME", 1, 1, 3), "groups must be a divisor of C_out = 4, got 3"),
        (("SAME", 1, 1, 2), "x must be of shape .N, H, W, 6., got .2, 4, 3, 3"),
    ],
)
def test_settings_out_of_range_are_rejected(settings, message):
    with pytest.raises(ValueError, match="conv2d: " + message):
        conv2d(*drawn((4, 3), (2, 3)), *settings)


def test_dtypes_that_differ_are_rejected():
    x, w, b = drawn((4, 3), (2, 3))
    with pytest.raises(ValueError, match="conv2d: w must be of x's dtype float64, got float32"):
        conv2d(x, w.astype("float32"), b)
    with pytest.raises(ValueError, match="conv2d: x must be of a floating-point dtype, got uint8"):
        conv2d(x.astype("uint8"), w, b)
