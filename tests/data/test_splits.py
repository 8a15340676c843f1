"""The splits of a run, and the choice of the first training images."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from ffnn_jax.config import UserError
from ffnn_jax.data import load, load_splits
from tests.data.conftest import noise, toys, write_set

FEATURES = {
    "image": tfds.features.Image(shape=(4, 4, 1)),
    "label": tfds.features.ClassLabel(num_classes=3),
}


def with_ids(count: int) -> list[dict]:
    """Examples stored in reverse, with ids that number them in the original order."""
    numbered = [toy | {"id": f"train_{index:05d}"} for index, toy in enumerate(toys(count))]
    return numbered[::-1]


def images_of(indices: np.ndarray) -> np.ndarray:
    return noise(20, (4, 4, 1))[indices]


def test_the_first_images_follow_the_original_order_if_it_is_recorded(
    tmp_path: Path,
):
    write_set(
        tmp_path,
        {"train": with_ids(20), "test": with_ids(4)},
        FEATURES | {"id": tfds.features.Text()},
    )
    train = load_splits("toy", tmp_path, train_images=7).train
    np.testing.assert_array_equal(train.images, images_of(np.arange(7)))
    assert (train.images != load("toy", "train[:7]", folder=tmp_path).images).any()


def test_the_first_images_follow_the_stored_order_if_no_other_is_recorded(tmp_path: Path):
    write_set(tmp_path, {"train": toys(20), "test": toys(4)}, FEATURES)
    train = load_splits("toy", tmp_path, train_images=7).train
    np.testing.assert_array_equal(train.images, load("toy", "train[:7]", folder=tmp_path).images)


@pytest.mark.parametrize("count", [None, 20, 21, 20_000])
def test_all_images_are_taken_unchanged_if_there_are_no_more(tmp_path: Path, count: int | None):
    write_set(tmp_path, {"train": toys(20), "test": toys(4)}, FEATURES)
    train = load_splits("toy", tmp_path, train_images=count).train
    assert train.sha256 == load("toy", "train", folder=tmp_path).sha256


def test_a_set_without_test_images_is_rejected(tmp_path: Path):
    write_set(tmp_path, {"train": toys(20)}, FEATURES)
    with pytest.raises(UserError, match=r"toy has no split 'test' \(available: train\)"):
        load_splits("toy", tmp_path)
