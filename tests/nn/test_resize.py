"""Upsampling, padding and scaling as layers: shapes, settings, and what a file holds of them."""

import pytest

from ffnn_jax.config import UserError, layers_from_json, layers_to_json
from ffnn_jax.nn import Pad, Scale, Upsample


def test_shapes():
    assert Upsample(3).output_shape((4, 5, 2)) == (12, 15, 2)
    assert Pad(2).output_shape((4, 5, 2)) == (8, 9, 2)
    assert Pad(((1, 0), (2, 3))).output_shape((4, 5, 2)) == (5, 10, 2)
    assert Scale().params((4, 3))["factor"].shape == ()
    assert Scale(0.0, per_channel=True).params((4, 3))["factor"].shape == (3,)


def test_nested_widths_survive_json():
    layers = (Pad(((1, 0), (2, 3)), -1.0), Pad())
    assert layers_from_json(layers_to_json(layers)) == layers


@pytest.mark.parametrize("width", [-1, 1.0, True, (1, 1), ((1, 1), (1,)), [[1, 1], [1, 1]], None])
def test_other_widths_are_rejected(width):
    with pytest.raises(UserError, match="width must be at least 0, or"):
        Pad(width)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Upsample(0), "factor must be an integer of at least 1"),
        (lambda: Upsample(2, "cubic"), 'method must be "nearest" or "bilinear"'),
        (lambda: Pad(1, float("inf")), "value must be a finite number"),
        (lambda: Scale(float("nan")), "init must be a finite number"),
        (lambda: Scale(1.0, per_channel=1), "per_channel must be True or False"),  # type: ignore
        (lambda: Pad().output_shape((3,)), "needs an image"),
    ],
)
def test_other_settings_are_rejected(make, message):
    with pytest.raises(UserError, match=message):
        make()
