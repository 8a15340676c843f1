"""What is worth knowing of a data set, each by a set that has it, and none where there is none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ffnn_jax.data import load

DIFFERENT = np.arange(4 * 400, dtype=np.uint16).view(np.uint8)[: 400 * 4].reshape(400, 2, 2)


def remarks_of(tmp_path: Path, **arrays: Any) -> list[str]:
    np.savez(tmp_path / "set.npz", **arrays)
    said = load(str(tmp_path / "set.npz"), "train").remarks
    return [remark for remark in said if not remark.startswith("set aside")]


def pictures(count: int, first: int = 0) -> np.ndarray:
    numbers = np.arange(first, first + count, dtype=">u4")
    return numbers.view(np.uint8).reshape(count, 2, 2)


def test_of_a_sound_set_nothing_is_remarked(tmp_path: Path):
    labels = np.arange(200) % 4
    said = remarks_of(tmp_path, x_train=pictures(200), y_train=labels,
                      x_test=pictures(40, 500), y_test=labels[:40])  # fmt: skip
    assert said == []


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((50,), "one class alone, 0: there is nothing to tell apart"),
        ((50, 9), "few images: 1 of 2 classes have fewer than 10 training images (1: 9)"),
        ((111, 11), "imbalance: 111 training images of 0, 11 training images of 1; accuracy "
                    "favours the frequent classes"),
    ],
)  # fmt: skip
def test_numbers_of_images_are_remarked(tmp_path: Path, counts, expected: str):
    labels = np.repeat(np.arange(len(counts)), counts)
    train = pictures(len(labels))
    said = remarks_of(tmp_path, x_train=train, y_train=labels,
                      x_test=pictures(len(counts), 900), y_test=np.arange(len(counts)))  # fmt: skip
    assert expected in said


def test_a_class_without_test_images_is_remarked(tmp_path: Path):
    said = remarks_of(tmp_path, x_train=pictures(60), y_train=np.arange(60) % 3,
                      x_test=pictures(20, 900), y_test=np.arange(20) % 2)  # fmt: skip
    assert said == ["test has no image of 2"]


def test_the_same_image_in_training_and_test_is_remarked(tmp_path: Path):
    labels = np.arange(60) % 2
    test = np.concatenate([pictures(20, 900), pictures(3, 10)])
    of_test = np.concatenate([np.arange(20) % 2, labels[10:12], 1 - labels[12:13]])
    said = remarks_of(tmp_path, x_train=pictures(60), y_train=labels, x_test=test, y_test=of_test)
    assert said == [
        "test has images that are in train, too: 3 (image 80 = image 10)",
        "test has images that have another label in train: 1 (image 82 = image 12)",
    ]


def test_an_image_in_two_classes_is_remarked(tmp_path: Path):
    train = np.concatenate([pictures(60), pictures(1, 7)])
    labels = np.concatenate([np.arange(60) % 2, [0]])
    said = remarks_of(tmp_path, x_train=train, y_train=labels,
                      x_test=pictures(20, 900), y_test=np.arange(20) % 2)  # fmt: skip
    assert said == ["train has images that have another label in train: 1 (image 60 = image 7)"]
