"""The image shape of a data set, prepared or not."""

from pathlib import Path

import pytest
import tensorflow_datasets as tfds

from ffnn_jax.config import UserError
from ffnn_jax.data import image_shape
from ffnn_jax.data.preparation import RECIPES
from tests.data.conftest import toys, write_set


def test_the_shape_of_a_prepared_set_is_read_from_it(tmp_path: Path):
    features = {
        "image": tfds.features.Image(shape=(5, 4, 3)),
        "label": tfds.features.ClassLabel(num_classes=3),
    }
    write_set(tmp_path, {"train": toys(10, (5, 4, 3))}, features)
    assert image_shape("toy", tmp_path) == (5, 4, 3)


@pytest.mark.parametrize(
    ("name", "shape"),
    [("mnist_5k", (28, 28, 1)), ("emnist/letters", (28, 28, 1)), ("svhn_cropped", (32, 32, 3))],
)
def test_the_shape_of_a_set_that_is_not_prepared_is_known(name: str, shape: tuple, tmp_path: Path):
    assert image_shape(name, tmp_path / "none") == shape
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", RECIPES)
def test_a_set_that_can_be_prepared_here_has_a_known_shape(name: str, tmp_path: Path):
    size, channels = (32, 3) if name.startswith("cifar") else (28, 1)
    assert image_shape(name, tmp_path) == (size, size, channels)


def test_a_prepared_set_takes_precedence(tmp_path: Path):
    write_set(tmp_path, {"train": toys(10, (4, 4, 1))}, name="cifar10")
    assert image_shape("cifar10", tmp_path) == (4, 4, 1)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("mnits", r"unknown data set 'mnits' .*; did you mean mnist\?"),
        ("imdb_reviews", "imdb_reviews: must have one image and one class label, has .*"),
    ],
)
def test_a_set_without_a_shape_is_rejected_in_one_line(name: str, line: str, tmp_path: Path):
    with pytest.raises(UserError, match=f"^{line}$"):
        image_shape(name, tmp_path)
