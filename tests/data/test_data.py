import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ffnn_jax.config import Refusal
from ffnn_jax.data import Dataset, data_dir, load, load_splits, split_names
from ffnn_jax.data._mnist_5k import _read_digits

SHA256_OF_MNIST_5K = {
    "train": "c14bc1ae3ae6895e388e1ffeb872ce249d5c3f502ecc7b2876620237dc6e73b5",
    "validation": "15ea81a5e90a0dc04171b6c035af7055e17e2e9348ae9df2233edb4254fe171a",
    "test": "f313181d733874310527eed497f9f847a653d89fdd6ef8897b1aafc89f3f7ec3",
}


@pytest.fixture(scope="module")
def splits():
    return load_splits("mnist_5k")


def test_mnist_5k_has_its_three_splits_with_as_many_of_each_class(splits):
    assert split_names("mnist_5k") == ("train", "validation", "test")
    for part, of_each in zip(splits, (360, 40, 100), strict=True):
        assert part.images.shape == (10 * of_each, 28, 28, 1)
        assert np.bincount(part.labels).tolist() == [of_each] * 10
    assert splits.train.class_names == tuple("0123456789")


def test_every_digit_is_in_one_split(splits):
    """The splits together are the digits that the dependency ships, labels included."""
    rows = [
        np.concatenate([part.images.reshape(len(part), -1), part.labels[:, None]], axis=1)
        for part in splits
    ]
    ours = np.concatenate(rows).astype(np.uint8)
    assert sorted(map(bytes, ours)) == sorted(map(bytes, _read_digits()))


def test_mnist_5k_is_the_same_everywhere(splits):
    for part in splits:
        assert part.sha256 == SHA256_OF_MNIST_5K[part.name.removeprefix("mnist_5k/")]


def test_mnist_is_read_in_its_own_order_where_it_is_prepared():
    if not (data_dir() / "mnist").exists():
        pytest.skip("mnist is not prepared on this machine")
    test = load("mnist", "test")
    assert test.images.shape == (10_000, 28, 28, 1)
    assert np.bincount(test.labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    assert test.labels[:4].tolist() == [2, 0, 4, 8]


READ = """
import sys
from ffnn_jax.data import load
print(load("mnist_5k", "test").sha256, *(m for m in ("jax", "tensorflow") if m in sys.modules))
"""


def test_two_first_readers_at_once_both_read_and_need_neither_jax_nor_tensorflow(tmp_path):
    environment = os.environ | {"TFDS_DATA_DIR": str(tmp_path / "a folder")}
    command = [sys.executable, "-W", "ignore", "-c", READ]
    readers = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    printed = [reader.communicate()[0].split() for reader in readers]
    assert all(words == [SHA256_OF_MNIST_5K["test"]] for words in printed)
    assert [path.name for path in Path(tmp_path / "a folder").iterdir()] == ["mnist_5k"]


def test_an_unknown_data_set_is_refused_with_the_nearest():
    with pytest.raises(
        Refusal, match=r"unknown data set 'fashon_mnist'.*did you mean fashion_mnist"
    ):
        load("fashon_mnist", "train")


def test_a_data_set_that_is_not_prepared_is_refused_with_the_way_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(Refusal, match=r"'mnist' is not prepared.*download_and_prepare"):
        load("mnist", "train")
    assert not list(tmp_path.iterdir())


def test_an_unknown_split_is_refused_with_those_there_are():
    with pytest.raises(Refusal, match=r"no split 'tset' .it has: train, validation, test"):
        load("mnist_5k", "tset")


IMAGES, LABELS = np.zeros((3, 4, 4, 1), np.uint8), np.array([0, 1, 1], np.int32)


@pytest.mark.parametrize(
    ("images", "labels", "complaint"),
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
def test_what_training_would_take_in_silence_is_refused(images, labels, complaint):
    with pytest.raises(Refusal, match=f"toy/train: .*{complaint}|toy/train: {complaint}"):
        Dataset("toy/train", images, labels, ("a", "b"))


def test_the_digest_is_of_pixels_and_labels():
    original = Dataset("toy/train", IMAGES, LABELS, ("a", "b"))
    pixel, label = IMAGES.copy(), LABELS.copy()
    pixel[2, 3, 3, 0], label[0] = 1, 1
    assert original.sha256 == Dataset("other", IMAGES, LABELS, ("a", "b")).sha256
    assert original.sha256 != Dataset("toy/train", pixel, LABELS, ("a", "b")).sha256
    assert original.sha256 != Dataset("toy/train", IMAGES, label, ("a", "b")).sha256
