"""Data sets as used in training."""

import re
from pathlib import Path

import numpy as np
import pytest

from ffnn_jax.config import UserError
from ffnn_jax.data import (
    Dataset,
    NotPreparedError,
    _folders,
    data_dir,
    load,
    load_splits,
    split_names,
)
from ffnn_jax.data.preparation import RECIPES
from ffnn_jax.data.preparation._mnist_5k import read_digits
from tests.data.conftest import noise, toys, write_set


@pytest.fixture(scope="module")
def splits():
    return load_splits("mnist_5k")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the set toy: train 20, test 7."""
    folder = tmp_path_factory.mktemp("sets")
    write_set(folder, {"train": toys(20), "test": toys(7)}, shards=3)
    return folder


def test_mnist_5k_has_three_class_balanced_splits(splits):
    assert split_names("mnist_5k") == ("train", "validation", "test")
    for part, per_class in zip(splits, (360, 40, 100), strict=True):
        assert part.images.shape == (10 * per_class, 28, 28, 1)
        assert np.bincount(part.labels).tolist() == [per_class] * 10
    assert splits.train.class_names == tuple("0123456789")


def test_every_digit_is_in_exactly_one_split(splits):
    """Together, the splits are the dependency's digits and labels."""
    rows = [
        np.concatenate([part.images.reshape(len(part), -1), part.labels[:, None]], axis=1)
        for part in splits
    ]
    ours = np.concatenate(rows).astype(np.uint8)
    assert sorted(map(bytes, ours)) == sorted(map(bytes, read_digits()))


def test_mnist_5k_is_the_same_everywhere(splits):
    for part in splits:
        assert part.sha256 == RECIPES["mnist_5k"].sha256[part.name.removeprefix("mnist_5k/")]
        assert part.source == "mnist_5k/1.0.0"


def test_mnist_is_read_in_tensorflow_datasets_order_if_prepared():
    if not (data_dir() / "mnist").exists():
        pytest.skip("mnist is not prepared on this machine")
    test = load("mnist", "test")
    assert test.images.shape == (10_000, 28, 28, 1)
    assert np.bincount(test.labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    assert test.labels[:4].tolist() == [2, 0, 4, 8]


@pytest.mark.parametrize(
    ("split", "rows"),
    [
        ("train", range(20)),
        ("train[:50%]", range(10)),
        ("train[-3:]", range(17, 20)),
        ("train[:1shard]", range(7)),
        ("train[:2]+train[5:7]", (0, 1, 5, 6)),
        ("test+train[19:]", (*range(7), 19)),
        ("all", (*range(20), *range(7))),
    ],
)
def test_a_slice_holds_the_selected_examples(folder: Path, split: str, rows):
    part = load("toy", split, folder=folder)
    assert np.array_equal(part.images, noise(20)[list(rows)])
    assert part.labels.tolist() == [row % 3 for row in rows]
    assert (part.name, part.class_names) == (f"toy/{split}", ("ant", "bee", "cow"))
    assert part.source == "toy/1.0.0"


def test_a_set_without_validation_images_has_none(folder: Path):
    train, validation, test = load_splits("toy", folder)
    assert (len(train), validation, len(test)) == (20, None, 7)


def test_a_set_without_test_images_is_rejected(tmp_path: Path):
    write_set(tmp_path, {"train": toys(3), "holdout": toys(3)})
    with pytest.raises(UserError, match=r"^toy has no split 'test' \(available: train, holdout\)$"):
        load_splits("toy", tmp_path)


def test_an_unknown_data_set_is_rejected_with_the_nearest(folder: Path):
    nearest = r"unknown data set 'fashon_mnist' .*; did you mean fashion_mnist\?$"
    with pytest.raises(UserError, match=nearest):
        load("fashon_mnist", "train")
    with pytest.raises(UserError, match=r"unknown data set 'toyy' .*; did you mean toy\?$"):
        load("toyy", "train", folder=folder)


def test_a_data_set_that_is_not_prepared_is_rejected_with_instructions(tmp_path: Path):
    with pytest.raises(NotPreparedError) as rejected:
        load("mnist", "train", folder=tmp_path)
    command = "ffnn-jax data prepare mnist"
    assert str(rejected.value) == f"data set 'mnist' is not prepared in {tmp_path}; run: {command}"
    with pytest.raises(UserError) as other:
        load("emnist/letters", "train", folder=tmp_path)
    assert not isinstance(other.value, NotPreparedError)
    builder = "tfds.builder('emnist/letters', file_format='array_record')"
    assert f"{builder}.download_and_prepare()" in str(other.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("split", "line"),
    [
        ("tset", "toy: no split 'tset' (available: train, test); did you mean test?"),
        ("test[7:]", "toy: split 'test[7:]' is empty or beyond the 7 examples of test"),
    ],
)
def test_an_unknown_or_empty_split_is_rejected_with_the_set(folder: Path, split: str, line: str):
    with pytest.raises(UserError, match=f"^{re.escape(line)}$"):
        load("toy", split, folder=folder)


def test_an_original_order_that_was_not_recorded_is_rejected(folder: Path):
    line = "^toy/test does not record the order of its original files$"
    with pytest.raises(UserError, match=line):
        load("toy", "test", folder=folder, original_order=True)


IMAGES, LABELS = np.zeros((3, 4, 4, 1), np.uint8), np.array([0, 1, 1], np.int32)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES.astype(np.float32), LABELS, "images must be uint8"),
        (IMAGES[..., 0], LABELS, r"images must be uint8 \(N, H, W, C\), got uint8 \(3, 4, 4\)"),
        (IMAGES, LABELS.astype(np.int64), "labels must be int32"),
        (IMAGES, LABELS[:2], r"labels must be int32 \(3,\), got int32 \(2,\)"),
        (IMAGES, np.array([0, 2, -1], np.int32), "label 2 of image 1 is not one of 0 to 1"),
        (IMAGES, np.array([0, 1, -1], np.int32), "label -1 of image 2 is not one of 0 to 1"),
        (IMAGES[:0], LABELS[:0], "holds no images"),
    ],
)
def test_mistakes_that_training_would_not_notice_are_rejected(images, labels, message):
    with pytest.raises(UserError, match=f"^toy/train: {message}"):
        Dataset("toy/train", images, labels, ("a", "b"))


def test_the_digest_covers_pixels_and_labels():
    original = Dataset("toy/train", IMAGES, LABELS, ("a", "b"))
    pixel, label = IMAGES.copy(), LABELS.copy()
    pixel[2, 3, 3, 0], label[0] = 1, 1
    assert original.sha256 == Dataset("other", IMAGES, LABELS, ("a", "b")).sha256
    assert original.sha256 != Dataset("toy/train", pixel, LABELS, ("a", "b")).sha256
    assert original.sha256 != Dataset("toy/train", IMAGES, label, ("a", "b")).sha256


def test_a_folder_may_be_a_string_and_must_be_local(tmp_path, monkeypatch):
    digits = load("mnist_5k", "test", folder=str(tmp_path))
    assert digits.sha256 == RECIPES["mnist_5k"].sha256["test"]
    assert split_names("mnist_5k", str(tmp_path)) == ("train", "validation", "test")
    with pytest.raises(UserError, match="must be a local folder, got 'gs://bucket/x'"):
        load("mnist_5k", "test", folder="gs://bucket/x")
    monkeypatch.setenv("TFDS_DATA_DIR", "~nobody-of-that-name/x")
    with pytest.raises(
        UserError, match="the data folder '~nobody-of-that-name/x' cannot be resolved"
    ):
        load("mnist_5k", "test")


def test_the_digits_are_prepared_in_the_user_s_cache_if_the_folder_is_not_writable(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    (tmp_path / "sets").write_text("a file is in the way")
    digits = load("mnist_5k", "test", folder=tmp_path / "sets")
    assert digits.sha256 == RECIPES["mnist_5k"].sha256["test"]
    assert (tmp_path / "user" / "ffnn_jax" / "tensorflow_datasets" / "mnist_5k").is_dir()


def test_the_digits_are_prepared_for_one_process_if_nothing_is_writable(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    monkeypatch.setattr(_folders.tempfile, "tempdir", str(tmp_path))
    for name in ("sets", "user"):
        (tmp_path / name).write_text("a file is in the way")
    for _ in range(2):
        digits = load("mnist_5k", "test", folder=tmp_path / "sets")
        assert digits.sha256 == RECIPES["mnist_5k"].sha256["test"]
    assert len(list(tmp_path.glob("ffnn_jax-*/mnist_5k"))) == 1
    (line,) = caplog.messages
    assert line == f"{tmp_path}/sets cannot be written to; TFDS_DATA_DIR can name a lasting folder"
