"""Augmentation configurations: invalid sizes, images that are too small, and JSON."""

import json
import math
from typing import Any

import pytest

from ffnn_jax.config import (
    AUGMENTATIONS,
    AlternatingFlip,
    Crop,
    Cutout,
    Flip,
    UserError,
    augmentations_from_json,
    augmentations_to_json,
)

KNOWN = "known: Flip, AlternatingFlip, Crop, Cutout"


@pytest.mark.parametrize("bad", [0, -1, 2.0, True, "2", None, math.nan])
@pytest.mark.parametrize(("kind", "field"), [(Crop, "padding"), (Cutout, "size")])
def test_an_invalid_size_is_rejected(kind: Any, field: str, bad: Any):
    with pytest.raises(UserError) as caught:
        kind(**{field: bad})
    config = f"{kind.__name__}({field}={bad!r})"
    assert str(caught.value) == f"{config}: {field} must be an integer of at least 1"


def test_by_default_a_crop_pads_4_and_a_cutout_hides_8_by_8():
    assert (Crop(), Cutout()) == (Crop(padding=4), Cutout(size=8))
    assert [str(config) for config in (Flip(), Crop(), Cutout(3))] == [
        "Flip()",
        "Crop()",
        "Cutout(size=3)",
    ]


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 9, 3)])
def test_a_flip_fits_every_image(shape: Any):
    Flip().require_fits(shape)
    AlternatingFlip().require_fits(shape)


@pytest.mark.parametrize(
    ("augmentation", "fits", "too_small", "message"),
    [
        (Crop(), (5, 5, 3), (9, 4, 3), "Crop(): padding must be at most 3 for 9 x 4 images, got 4"),
        (Crop(2), (3, 9, 1), (2, 9, 1),
         "Crop(padding=2): padding must be at most 1 for 2 x 9 images, got 2"),
        (Cutout(), (5, 5, 3), (4, 3, 3),
         "Cutout(): size must be at most 6 for 4 x 3 images, got 8"),
        (Cutout(3), (1, 3, 1), (2, 2, 1),
         "Cutout(size=3): size must be at most 2 for 2 x 2 images, got 3"),
    ],
)  # fmt: skip
def test_images_too_small_are_rejected_with_the_largest_value_that_fits(
    augmentation: Crop | Cutout, fits: Any, too_small: Any, message: str
):
    augmentation.require_fits(fits)
    with pytest.raises(UserError) as caught:
        augmentation.require_fits(too_small)
    assert str(caught.value) == message


def test_augmentations_survive_a_json_round_trip():
    augmentations = Flip(), Crop(2), Cutout(), AlternatingFlip(), Crop()
    config = json.loads(json.dumps(augmentations_to_json(augmentations)))
    assert config[1] == {"type": "Crop", "padding": 2}
    assert augmentations_from_json(config) == augmentations


def test_every_augmentation_is_registered_by_its_name():
    kinds = [Flip, AlternatingFlip, Crop, Cutout]
    assert list(AUGMENTATIONS.items()) == [(kind.__name__, kind) for kind in kinds]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (5, "augmentations must be a list of objects, got 5"),
        (["Flip"], "augmentations must be a list of objects, got ['Flip']"),
        ([{"size": 3}], f"augmentation: the key 'type' is missing ({KNOWN})"),
        (
            [{"type": "cut-out"}],
            f"unknown augmentation type 'cut-out' ({KNOWN}); did you mean Cutout?",
        ),
        ([{"type": "Crop", "pading": 3}],
         "Crop: unknown key 'pading'; did you mean padding?"),
        ([{"type": "Crop", "padding": 0}],
         "Crop(padding=0): padding must be an integer of at least 1"),
    ],
)  # fmt: skip
def test_json_that_is_not_an_augmentation_is_rejected(config: Any, message: str):
    with pytest.raises(UserError) as caught:
        augmentations_from_json(config)
    assert str(caught.value) == message
