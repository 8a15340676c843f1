import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import UPSAMPLE2D
from ffnn_jax.layers import upsample2d, upsample2d_backward, upsample2d_forward
from tests.layers.checking import (
    assert_close,
    assert_same_bits,
    assert_same_rule,
    assert_verified,
    kept_residuals,
    normal,
)

METHODS = ("nearest", "bilinear")
backward = jax.jit(upsample2d_backward, static_argnums=(0, 1))
forward = jax.jit(upsample2d_forward, static_argnums=(1, 2))


def image(*rows: list[float]) -> jax.Array:
    return jnp.array(rows)[None, :, :, None]


@pytest.mark.slow
def test_all_catalogue_checks_pass():
    """Autodiff of (upsample.1) gives (upsample.2), of (upsample.4) the rest."""
    assert_verified(UPSAMPLE2D)


@pytest.mark.parametrize("method", METHODS)
def test_value_and_cotangent_are_those_of_the_reference(method):
    both = upsample2d, UPSAMPLE2D.reference
    ours, theirs = (functools.partial(f, factor=3, method=method) for f in both)
    assert_same_rule(ours, theirs, "2x3x1x2")


def test_nearest_repeats_by_upsample_1_and_sums_blocks_by_upsample_2():
    z, residual = forward(image([1.0, 2], [3, 4]), 2)
    rows = [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    np.testing.assert_array_equal(z[0, :, :, 0], rows)
    dz = jnp.arange(16.0).reshape(1, 4, 4, 1)
    (dx,) = backward(2, "nearest", residual, dz)
    np.testing.assert_array_equal(dx[0, :, :, 0], [[10, 18], [42, 50]])


def test_bilinear_interpolates_along_both_axes_by_upsample_7():
    z = forward(image([0.0, 16], [32, 48]), 2, "bilinear")[0][0, :, :, 0]
    np.testing.assert_array_equal(z, np.add.outer([0, 8, 24, 32], [0, 4, 12, 16]))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("factor", [2, 3])
def test_values_are_those_of_jax_image_resize(method, factor):
    x = normal(0, 2, 3, 4, 2)
    z, _ = forward(x, factor, method)
    assert_close(z, jax.image.resize(x, z.shape, method), 4)


@pytest.mark.parametrize("method", METHODS)
def test_each_pixel_of_dz_is_shared_out_in_full(method):
    """The shares of an output pixel add up to 1: dx sums to the sum of dz, a constant stays."""
    dz = normal(0, 1, 6, 3, 1)
    (dx,) = backward(3, method, None, dz)
    assert_close(dx.sum(), dz.sum(), 18)
    assert_close(forward(jnp.full((1, 2, 1, 1), 7.0), 3, method)[0], jnp.full((1, 6, 3, 1), 7.0))


@pytest.mark.parametrize("method", METHODS)
def test_factor_1_is_the_identity_and_nothing_is_kept(method):
    x = normal(0, 1, 2, 3, 1)
    assert_same_bits(forward(x, 1, method), (x, None))
    assert_same_bits(backward(1, method, None, x), (x,))
    assert kept_residuals(functools.partial(upsample2d, factor=2, method=method), x) == []


@pytest.mark.parametrize("method", METHODS)
def test_half_precision_is_rounded_once(method):
    dz = normal(0, 1, 16, 16, 1).astype("bfloat16")
    (dx,) = backward(8, method, None, dz)
    (exact,) = backward(8, method, None, dz.astype("float32"))
    assert_same_bits(dx, exact.astype("bfloat16"))


@pytest.mark.parametrize(
    ("shape", "settings", "message"),
    [
        ((4, 4, 1), (2,), "x must be of shape"),
        ((1, 0, 4, 1), (2,), "x must be of shape"),
        ((1, 4, 4, 1), (0,), "factor must be an integer of at least 1, got 0"),
        ((1, 4, 4, 1), (2.0,), "factor must be an integer of at least 1, got 2.0"),
        ((1, 4, 4, 1), (2, "cubic"), 'method must be "nearest" or "bilinear", got \'cubic\''),
    ],
)
def test_bad_images_and_settings_are_rejected(shape, settings, message):
    with pytest.raises(ValueError, match="upsample2d: " + message):
        upsample2d(jnp.ones(shape), *settings)
