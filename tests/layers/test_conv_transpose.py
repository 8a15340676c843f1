import functools

import jax
import jax.numpy as jnp
import pytest

from ffnn_jax.catalogue import CONV_TRANSPOSE2D
from ffnn_jax.layers import (
    conv2d,
    conv_transpose2d,
)
from ffnn_jax.layers.fast import _blocks
from tests.layers.checking import (
    assert_close,
    assert_same_rule,
    assert_verified,
    kept_residuals,
    normal,
    value_and_cotangents,
)

upwards = jax.jit(conv_transpose2d, static_argnums=(3, 4))


@pytest.mark.slow
def test_all_catalogue_checks_pass():
    """Autodiff of (transpose.1), (transpose.2) gives (transpose.3)-(transpose.5)."""
    assert_verified(CONV_TRANSPOSE2D)


# H, W, KH, KW, stride, padding
GEOMETRIES = [
    (3, 4, 4, 4, 2, "SAME"),
    (3, 4, 3, 5, 2, "SAME"),
    (4, 3, 3, 2, 1, "SAME"),
    (2, 3, 2, 2, 2, "VALID"),
    (3, 2, 1, 2, 3, "SAME"),
    (3, 2, 1, 2, 3, "VALID"),
    (4, 3, 5, 3, 3, "VALID"),
    (3, 3, 4, 3, 1, "VALID"),
    (2, 4, 6, 1, 2, "SAME"),
]


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_equals_lax_conv_transpose_of_the_rotated_kernel(geometry):
    """The sizes are those of (transpose.6) and (transpose.7)."""
    height, width, kh, kw, stride, padding = geometry

    def of_lax(x, w, b):
        z = jax.lax.conv_transpose(x, w[::-1, ::-1], (stride, stride), padding)
        return z + b.reshape(1, 1, 1, -1)

    ours = functools.partial(conv_transpose2d, stride=stride, padding=padding)
    assert_same_rule(ours, of_lax, f"2x{height}x{width}x3", f"{kh}x{kw}x3x4", "4")


@pytest.mark.parametrize(("kernel", "stride", "p"), [(4, 2, 1), (3, 1, 2)])
def test_a_number_crops_as_pytorch_does(kernel, stride, p):
    """(transpose.8): the size that PyTorch documents, and z~ without p rows and columns."""
    x, w = normal(0, 2, 3, 4, 3), normal(1, kernel, kernel, 3, 2)
    whole = upwards(x, w, jnp.zeros(2), stride, 0)
    z = upwards(x, w, jnp.zeros(2), stride, p)
    assert z.shape[1:3] == tuple((n - 1) * stride - 2 * p + kernel for n in (3, 4))
    assert_close(z, whole[:, p : whole.shape[1] - p, p : whole.shape[2] - p], 75)


@pytest.mark.parametrize(("padding", "stride"), [("SAME", 2), (1, 1)])
def test_is_the_adjoint_of_conv2d(padding, stride):
    """<y, conv2d(z, w')> = <z, conv_transpose2d(y, w)>, w' being w with its channels swapped."""
    y, w = normal(0, 2, 3, 4, 3), normal(1, 3, 2, 3, 5)
    up = upwards(y, w, jnp.zeros(5), stride, padding)
    z = normal(2, *up.shape)
    down = jax.jit(conv2d, static_argnums=(3, 4))(
        z, w.swapaxes(2, 3), jnp.zeros(3), padding, stride
    )
    assert_close(jnp.vdot(z, up), jnp.vdot(y, down), 72)


def test_blocks_of_images_do_not_change_the_rule(monkeypatch):
    arguments = normal(0, 6, 3, 4, 3), normal(1, 4, 3, 3, 2), normal(2, 2)
    rule, dz = functools.partial(conv_transpose2d, stride=2), normal(3, 6, 6, 8, 2)
    whole = value_and_cotangents(rule, arguments, dz)
    jax.clear_caches()
    monkeypatch.setattr(_blocks, "_BYTES", 1)
    monkeypatch.setattr(_blocks, "_WHOLE_BYTES", 0)
    assert_close(value_and_cotangents(rule, arguments, dz), whole, 72)


def test_residuals_are_only_x_and_w():
    x, w, b = normal(0, 2, 3, 4, 3), normal(1, 2, 3, 3, 5), normal(2, 5)
    kept = kept_residuals(jax.jit(conv_transpose2d), x, w, b)
    assert kept == [("float64", (2, 3, 3, 5)), ("float64", (2, 3, 4, 3))]


@pytest.mark.parametrize(
    ("x", "settings", "message"),
    [
        ((2, 5, 5, 4), (), "x must be of shape .N, H, W, 3., got .2, 5, 5, 4"),
        ((2, 5, 5, 3), (0,), "stride must be an integer of at least 1, got 0"),
        ((2, 5, 5, 3), (1, "same"), "padding must be .* got 'same'"),
        ((2, 1, 1, 3), (1, 1), "padding must be small enough to leave a row and a column, got 1"),
    ],
)
def test_bad_arguments_are_rejected(x, settings, message):
    with pytest.raises(ValueError, match="conv_transpose2d: " + message):
        conv_transpose2d(jnp.ones(x), jnp.ones((2, 2, 3, 4)), jnp.ones(4), *settings)
