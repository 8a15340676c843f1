import functools

import jax
import jax.numpy as jnp
import pytest

from ffnn_jax.catalogue import CONV1D
from ffnn_jax.layers import conv1d, conv2d
from tests.layers.checking import (
    assert_same_bits,
    assert_same_rule,
    assert_verified,
    kept_residuals,
    normal,
)


@pytest.mark.slow
def test_all_catalogue_checks_pass():
    """Autodiff of (line.1) gives (line.2)-(line.4)."""
    assert_verified(CONV1D)


# L, KL, padding, stride, dilation, groups
GEOMETRIES = [
    (7, 3, "SAME", 1, 1, 1),
    (8, 4, "SAME", 3, 1, 2),
    (7, 2, "VALID", 1, 3, 1),
    (5, 1, "VALID", 2, 1, 1),
    (6, 3, 2, 2, 1, 1),
    (4, 5, 1, 1, 1, 2),
    (9, 3, 1, 2, 2, 4),
    (3, 3, 0, 1, 1, 1),
]


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_equals_autodiff_of_laxs_own_convolution(geometry):
    length, kernel, padding, *steps = geometry
    stride, dilation, groups = steps

    def of_lax(x, w, b):
        pads = padding if isinstance(padding, str) else [(padding, padding)]
        options = {"rhs_dilation": (dilation,), "feature_group_count": groups}
        layout = ("NWC", "WIO", "NWC")
        return jax.lax.conv_general_dilated(
            x, w, (stride,), pads, dimension_numbers=layout, **options
        ) + b.reshape(1, 1, -1)

    ours = functools.partial(
        conv1d, padding=padding, stride=stride, dilation=dilation, groups=groups
    )
    assert_same_rule(ours, of_lax, f"2x{length}x4", f"{kernel}x{4 // groups}x8", "8")


def test_a_sequence_is_an_image_with_one_row():
    x, w, b = normal(0, 2, 7, 3), normal(1, 2, 3, 4), normal(2, 4)
    of_image = conv2d(x[:, None], w[None], b, ((0, 0), (1, 1)), 2)[:, 0]
    assert_same_bits(conv1d(x, w, b, 1, 2), of_image)


def test_residuals_are_only_x_and_w():
    x, w, b = normal(0, 2, 7, 3), normal(1, 2, 3, 4), normal(2, 4)
    assert kept_residuals(jax.jit(conv1d), x, w, b) == [
        ("float64", (2, 3, 4)),
        ("float64", (2, 7, 3)),
    ]


@pytest.mark.parametrize(
    ("x", "settings", "message"),
    [
        ((2, 5, 4), (), "x must be of shape .N, L, 3., got .2, 5, 4"),
        ((2, 5, 1, 3), (), "x must be of shape"),
        ((2, 1, 3), ("VALID",), "w must be no larger than the padded image .1"),
        ((2, 5, 3), (-1,), 'padding must be "SAME", "VALID" or at least 0, got -1'),
        ((2, 5, 3), (((0, 1), (1, 0)),), "padding must be"),
        ((2, 5, 3), ("SAME", 1, 1, 3), "groups must be a divisor of C_out = 4, got 3"),
    ],
)
def test_bad_arguments_are_rejected(x, settings, message):
    with pytest.raises(ValueError, match="conv1d: " + message):
        conv1d(jnp.ones(x), jnp.ones((2, 3, 4)), jnp.ones(4), *settings)
