"""The path from model 3 to cifar10-minute: each row adds one ingredient, the last has all."""

import contextlib
import dataclasses
import itertools
from pathlib import Path
from typing import Any

import pytest

from experiments import ingredients
from experiments._results import read_result
from ffnn_jax.config import preset
from ffnn_jax.nn import GELU, BatchNorm, Conv, ReLU

ROWS = ingredients.ROWS


def test_the_last_row_is_cifar10_minute_but_for_its_length_and_views():
    minute = preset("cifar10-minute")
    last = list(ROWS.values())[-1]
    same = {"preset": minute.preset, "steps": minute.steps, "views": "six", "forms": None}
    assert dataclasses.replace(last, **same) == minute


def test_every_row_sees_the_same_number_of_images():
    seen = {one.steps * one.batch_size for one in ROWS.values()}
    assert seen == {80_000, 312 * 256}


def test_every_row_differs_from_the_one_before_it_and_is_compared_with_it():
    settings = list(ROWS.values())
    assert all(one != other for one, other in itertools.pairwise(settings))
    path = ["3", *ROWS, "3.25 epochs", "six views"]
    assert [(claim.second, claim.first) for claim in ingredients.CLAIMS] == list(
        itertools.pairwise(path)
    )


@pytest.mark.parametrize(
    ("row", "kinds", "starts"),
    [
        ("the deeper, wider network", {ReLU}, {"normal"}),
        ("batch normalisation", {ReLU, BatchNorm}, {"normal"}),
        ("GELU", {GELU, BatchNorm}, {"normal"}),
        ("Dirac starts", {GELU, BatchNorm}, {"normal", "dirac"}),
        ("whitening", {GELU, BatchNorm}, {"whitening", "dirac"}),
    ],
)
def test_a_network_has_the_ingredients_up_to_its_own(row: str, kinds: set, starts: set):
    layers = ROWS[row].layers
    assert {type(one) for one in layers} & {ReLU, GELU, BatchNorm} == kinds
    convolutions = [one for one in layers if isinstance(one, Conv)]
    assert {one.start for one in convolutions} == starts
    assert [one.bias for one in convolutions[1:]] == [BatchNorm not in kinds] * 6


def test_a_seed_with_one_view_has_no_confusion_matrix_of_six():
    record = {"row": "a", "seed": 3, "test_accuracy": 0.86, "plain_test_accuracy": 0.84}
    plain = ingredients._with_one_view({**record, "confusion": [[1]]})
    assert plain == {"row": "3.25 epochs", "seed": 3, "test_accuracy": 0.84}


def test_the_page_has_the_difference_to_the_row_above():
    fields = {"parameters": 10, "training_flops": 2e12, "train_seconds": 3.0, "seeds": [0, 1]}
    rows = {
        "3": {**fields, "test_accuracy": [0.54, 0.55]},
        "all training images": {**fields, "test_accuracy": [0.56, 0.58]},
    }
    claims = ingredients.answers(rows, ingredients.CLAIMS[:1])
    page = ingredients.section({"rows": rows, "claims": claims})
    assert "| model 3 | 10 | 2.00 | 54.5 ± 0.7 | 3 | | | | |\n" in page
    assert "| + all training images | 10 | 2.00 | 57.0 ± 1.4 | 3 | +2.5 [" in page


@pytest.mark.slow
def test_the_quick_setting_compares_two_rows(tmp_path: Path):
    with contextlib.chdir(tmp_path):
        ingredients.main(quick=True)
    folder = tmp_path / "runs" / "quick"
    result: dict[str, Any] = read_result(folder / "ingredients.json")
    assert list(result["rows"]) == ["all training images", "normalised inputs"]
    (claim,) = result["claims"]
    assert claim["n"] == 2
    assert (folder / "ingredients_forest.png").stat().st_size > 0
