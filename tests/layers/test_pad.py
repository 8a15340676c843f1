import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import PAD
from ffnn_jax.layers import max_pool, pad
from tests.layers.checking import (
    assert_same_bits,
    assert_same_rule,
    assert_verified,
    kept_residuals,
    normal,
)

FOUR = ((1, 0), (0, 2))


@pytest.mark.slow
def test_all_catalogue_checks_pass():
    """Autodiff of (pad.1) gives (pad.3)."""
    assert_verified(PAD)


def test_value_and_cotangent_are_those_of_the_reference():
    static = {"width": ((1, 2), (0, 3)), "value": 2.0}
    assert_same_rule(
        functools.partial(pad, **static), functools.partial(PAD.reference, **static), "2x3x4x2"
    )


def test_jacobian_pad_2_is_one_where_the_pixel_went():
    jacobian = jax.jacrev(functools.partial(pad, width=1))(jnp.ones((1, 1, 1, 1)))
    np.testing.assert_array_equal(jacobian.ravel(), [0, 0, 0, 0, 1, 0, 0, 0, 0])


@pytest.mark.parametrize("width", [0, ((0, 0), (0, 0))])
def test_width_0_is_the_identity_and_nothing_is_kept(width):
    x = normal(0, 1, 2, 3, 1)
    assert_same_bits(pad(x, width), x)
    assert kept_residuals(functools.partial(pad, width=width), x) == []


def test_a_border_of_minus_infinity_is_never_a_maximum():
    """All of dz returns to the pixels."""
    x = -1 - normal(0, 1, 2, 3, 1) ** 2
    z, pull = jax.vjp(lambda x: max_pool(pad(x, ((0, 0), (0, 1)), -np.inf), 2), x)
    assert_same_bits(z.ravel(), jnp.stack([x[0, :, :2].max(), x[0, :, 2].max()]))
    assert pull(jnp.array([3.0, 5]).reshape(z.shape))[0].sum() == 8


def test_value_and_border_have_the_dtype_of_x():
    z = pad(jnp.ones((1, 1, 1, 1), "bfloat16"), 1, 0.1)
    assert z.dtype == "bfloat16"
    assert z[0, 0, 0, 0] == jnp.asarray(0.1, "bfloat16")


@pytest.mark.parametrize(
    ("shape", "settings", "message"),
    [
        ((4, 4, 1), (1,), "x must be of shape"),
        ((1, 4, 4, 1), (-1,), "width must be at least 0, or .*, got -1"),
        ((1, 4, 4, 1), (1.0,), "width must be at least 0, or .*, got 1.0"),
        ((1, 4, 4, 1), ((1, 1),), r"width must be .*, got \(1, 1\)"),
        ((1, 4, 4, 1), (((1, 1), (1, -1)),), "width must be"),
        ((1, 4, 4, 1), ([[1, 1], [1, 1]],), "width must be"),
        ((1, 4, 4, 1), (1, float("nan")), "value must be a number, got nan"),
        ((1, 4, 4, 1), (1, "0"), "value must be a number, got '0'"),
    ],
)
def test_bad_images_and_settings_are_rejected(shape, settings, message):
    with pytest.raises(ValueError, match="pad: " + message):
        pad(jnp.ones(shape), *settings)
