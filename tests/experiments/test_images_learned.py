"""Images belong to the lowest rung from which on all are right; a seed changes others by chance."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments import images_learned
from experiments._results import read_result


def record(row: str, seed: int, predicted: str) -> dict[str, Any]:
    accuracy = np.mean([int(one) == label for one, label in zip(predicted, LABELS, strict=True)])
    return {"row": row, "seed": seed, "predicted": predicted, "test_accuracy": float(accuracy)}


LABELS = np.array([1, 2, 3, 4, 5])
RECORDS = [
    record("cifar10-minute", 0, "12300"), record("cifar10-minute", 1, "12000"),
    record("cifar10-3", 0, "10040"), record("cifar10-94", 0, "02340"),
]  # fmt: skip


def test_an_image_is_learned_by_the_lowest_rung_from_which_on_all_are_right():
    right = np.array([[1, 0, 0, 1, 0], [1, 1, 1, 0, 0], [0, 1, 1, 1, 0]], bool)
    assert images_learned.levels(right).tolist() == [3, 1, 1, 2, 3]


def test_rungs_are_compared_from_the_least_accurate_upwards():
    result = images_learned.measure(RECORDS, LABELS)
    assert list(result["rungs"]) == ["cifar10-3", "cifar10-minute", "cifar10-94"]
    assert result["learned_by"] == [3, 1, 1, 2, 3]
    assert result["lost_at_the_top"] == 1  # the first image, which two lower rungs had right
    minute = result["rungs"]["cifar10-minute"]
    assert minute == {"right": 3, "learned": 2, "gained": 2, "lost": 1, "changed_by_seed": 1}
    assert result["rungs"]["cifar10-94"]["changed_by_seed"] is None


def test_the_page_counts_what_no_rung_learned():
    page = images_learned.section(images_learned.measure(RECORDS, LABELS))
    assert "no rung learned 2, of which 1 were right on a lower rung" in page
    assert "| `cifar10-minute` | 3 | 2 | 2 | 1 | 1 |" in page
    assert "| `cifar10-3` | 2 | 0 |  |  |  |" in page


@pytest.mark.slow
def test_the_quick_setting_draws_both_rungs(tmp_path: Path):
    with contextlib.chdir(tmp_path):
        images_learned.main(quick=True)
        folder = tmp_path / "runs" / "quick"
        found = read_result(folder / "images_learned.json")
    assert set(found["rungs"]) == {"cifar10-3", "cifar10-minute"}
    assert (folder / "images_learned.png").stat().st_size > 0
