"""Arrays in memory as splits."""

import numpy as np
import pytest

from ffnn_jax.config import UserError
from ffnn_jax.data import from_arrays

IMAGES = np.random.default_rng(0).integers(0, 256, (100, 4, 4), np.uint8)
LABELS = np.arange(100) % 2


def test_what_is_not_given_is_drawn_and_everything_is_there_once():
    splits = from_arrays(IMAGES, LABELS)
    parts = [part for part in splits if part is not None]
    assert [len(part) for part in parts] == [68, 16, 16]
    assert {image.tobytes() for part in parts for image in part.images} == {
        image.tobytes() for image in IMAGES
    }
    by_content = {image.tobytes(): label for image, label in zip(IMAGES, LABELS, strict=True)}
    for part in parts:
        assert [by_content[image.tobytes()] for image in part.images] == part.labels.tolist()


def test_what_is_given_stays_as_it_is():
    train, validation, test = from_arrays(
        IMAGES[:50], LABELS[:50], test=(IMAGES[50:80], LABELS[50:80]),
        validation=(IMAGES[80:], LABELS[80:]), class_names=("even", "odd"),
    )  # fmt: skip
    assert validation is not None
    for part, rows in ((train, slice(50)), (test, slice(50, 80)), (validation, slice(80, 100))):
        np.testing.assert_array_equal(part.images[..., 0], IMAGES[rows])
        np.testing.assert_array_equal(part.labels, LABELS[rows])
    assert test.class_names == ("even", "odd")


def test_without_test_images_they_are_drawn_from_the_training_images():
    splits = from_arrays(IMAGES[:80], LABELS[:80], validation=(IMAGES[80:], LABELS[80:]))
    assert [len(part) for part in splits if part] == [68, 20, 12]


def test_an_array_of_the_wrong_form_is_named():
    with pytest.raises(UserError, match="train arrays: labels must be whole numbers or text"):
        from_arrays(IMAGES, LABELS / 2)
    with pytest.raises(UserError, match="test arrays: pixels must be whole numbers"):
        from_arrays(IMAGES, LABELS, test=(IMAGES / 255, LABELS))
    with pytest.raises(UserError, match="the splits' images differ in shape"):
        from_arrays(IMAGES, LABELS, test=(IMAGES[:, :3], LABELS))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ((IMAGES, LABELS, IMAGES), r"test must be a pair, \(images, labels\)"),
        ((IMAGES, LABELS, (IMAGES, LABELS, LABELS)), r"test must be a pair, \(images, labels\)"),
        ((None, LABELS), r"train arrays: images must be numbers .*, got object \(\)"),
        ((IMAGES.astype(str), LABELS), r"train arrays: images must be numbers .*, got <U3 \(100"),
        (
            (np.where(IMAGES > 9, np.inf, 0), LABELS),
            r"pixels must be .*, got float64 from 0 to inf",
        ),
    ],
)
def test_what_is_no_array_is_said(arrays, message: str):
    images, labels, *test = arrays
    with pytest.raises(UserError, match=message):
        from_arrays(images, labels, test=test[0] if test else None)


@pytest.mark.parametrize(
    "images", [IMAGES.transpose(0, 2, 1), np.asfortranarray(IMAGES), IMAGES[:, :, ::-1]]
)
def test_arrays_may_lie_in_memory_in_any_order(images: np.ndarray):
    train = from_arrays(images, LABELS, test=(images, LABELS)).train
    np.testing.assert_array_equal(train.images[..., 0], images)
    assert train.sha256 == from_arrays(images.copy("C"), LABELS, test=(images, LABELS)).train.sha256


def test_numbers_that_are_text_in_one_split_are_the_same_classes():
    train, _, test = from_arrays(IMAGES, LABELS, test=(IMAGES, LABELS.astype(str)))
    assert train.class_names == ("0", "1")
    np.testing.assert_array_equal(train.labels, test.labels)


def test_a_column_of_text_names_the_classes():
    splits = from_arrays(IMAGES, np.array(["odd", "even"] * 50, object))
    assert splits.train.class_names == ("even", "odd")


def test_an_image_that_is_tested_on_and_learned_from_is_remarked():
    splits = from_arrays(IMAGES, LABELS, test=(IMAGES[:3], LABELS[:3]))
    assert "test has images that are in train, too: 3 (image 100 = image 0)" in splits.train.remarks
