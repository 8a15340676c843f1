"""The training set's polarity, orientation and centring are measured, saved and applied."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ffnn_jax.data import load_splits
from ffnn_jax.models import ImageForm, load, measure_form, prepare_picture, save
from tests.models.test_pictures import COLOUR, DIGITS, GREY, model, saved, seven

DIGIT_SET = load_splits("mnist_5k").train


def measured(images: np.ndarray, name: str = "") -> ImageForm:
    return measure_form(images, DIGIT_SET.labels, DIGITS, name)


def test_polarity_orientation_and_centring_are_measured():
    images = DIGIT_SET.images
    assert measured(images).light_on_dark is True
    assert measured(255 - images).light_on_dark is False
    assert [measured(x).transposed for x in (images, images.swapaxes(1, 2))] == [False, True]
    assert 0.5 < measured(images).offset < 2
    assert measured(255 - images).offset == pytest.approx(measured(images).offset)
    assert measured(255 - images.swapaxes(1, 2)).transposed
    photographs = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 3), np.uint8)
    assert measure_form(photographs, np.zeros(50, int), ("a",)).light_on_dark is None


def test_letters_of_emnist_are_known_to_be_transposed():
    names = tuple("ABCDEFGHIJ")
    assert measure_form(DIGIT_SET.images, DIGIT_SET.labels, names, "emnist/letters").transposed


@pytest.mark.parametrize("dark", [False, True])
def test_what_has_the_training_set_s_form_is_left_alone(tmp_path: Path, dark: bool):
    images = (255 - DIGIT_SET.images if dark else DIGIT_SET.images)[::100]
    form = measured(255 - DIGIT_SET.images if dark else DIGIT_SET.images)
    for image in images:
        path = saved(tmp_path, Image.fromarray(image[..., 0]))
        assert (prepare_picture(path, GREY, digits=True, form=form).pixels == image).all()


def test_a_digit_is_given_the_training_set_s_form(tmp_path: Path):
    path = saved(tmp_path, seven())
    usual = prepare_picture(path, GREY, digits=True).pixels
    form = ImageForm(light_on_dark=False, transposed=True)
    other = prepare_picture(path, GREY, digits=True, form=form)
    assert (other.pixels == 255 - usual.swapaxes(0, 1)).all()
    assert other.steps[-2:] == (
        "inverted, as the training images are", "transposed, as the training images are",
    )  # fmt: skip


def test_a_thing_on_white_is_inverted_for_a_training_set_on_black(tmp_path: Path):
    image = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(image).rectangle((20, 16, 44, 48), fill="#204060")
    found = prepare_picture(saved(tmp_path, image), GREY, digits=False, form=ImageForm())
    assert found.pixels[0, 0, 0] == 0 and found.pixels[14, 14, 0] > 150
    assert "inverted, as the training images are" in found.steps
    neither = prepare_picture(
        saved(tmp_path, image), COLOUR, digits=False, form=ImageForm(light_on_dark=None)
    )
    assert neither.pixels[0, 0, 0] == 255


def test_the_form_is_saved_with_the_model(tmp_path: Path):
    import dataclasses

    form = ImageForm(False, True, 3.25)
    save(tmp_path / "model.npz", dataclasses.replace(model(), form=form))
    assert load(tmp_path / "model.npz").form == form
