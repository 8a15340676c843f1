"""The ablations in the quick setting, and what they compare."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from experiments import ablations
from experiments._claims import cells
from ffnn_jax.config import UserError
from ffnn_jax.nn import Conv, LeakyReLU, MaxPool, ReLU

MODEL_3 = ablations.MODEL_3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the quick setting writes."""
    here = tmp_path_factory.mktemp("ablations")
    with contextlib.chdir(here):
        ablations.main(quick=True)
    return here / "runs" / "quick"


@pytest.fixture(scope="module")
def result(folder: Path) -> dict[str, Any]:
    """The stored result."""
    return json.loads((folder / "ablations.json").read_text())


@pytest.mark.slow
def test_the_quick_setting_compares_a_change_with_model_3(result: dict[str, Any], folder: Path):
    assert result["quick"] is True
    assert {row: one["seeds"] for row, one in result["rows"].items()} == {
        "3": [0, 1],
        "size 3": [0, 1],
    }
    (claim,) = result["claims"]
    assert (claim["first"], claim["second"], claim["n"]) == ("size 3", "3", 2)
    assert (folder / "ablations_forest.png").stat().st_size


@pytest.mark.slow
def test_the_page_has_a_line_for_every_row(result: dict[str, Any]):
    lines = ablations.section(result).splitlines()
    assert sum(line.startswith(("| model 3 | ", "| size 3 | ")) for line in lines) == 2
    assert cells(result["claims"][0]) in ablations.section(result)


def test_every_change_keeps_model_3_s_schedule_images_and_seeds():
    for _, settings in ablations.ROWS.values():
        assert settings != MODEL_3
        assert {**settings.to_json(), "layers": 0} == {**MODEL_3.to_json(), "layers": 0}


@pytest.mark.parametrize("slope", [0.01, 0.1, 0.3])
def test_a_leaky_network_has_no_relu(slope: float):
    layers = ablations.ROWS[f"leaky {slope:g}"][1].layers
    assert [type(one) for one in layers] == [
        LeakyReLU if type(one) is ReLU else type(one) for one in MODEL_3.layers
    ]
    assert {one.slope for one in layers if isinstance(one, LeakyReLU)} == {slope}


@pytest.mark.parametrize(
    ("name", "size", "filters"),
    [("size 3", 3, 16), ("size 7", 7, 16), ("filters 8", 5, 8), ("filters 32", 5, 32)],
)
def test_every_convolution_is_changed(name: str, size: int, filters: int):
    convolutions = [one for one in ablations.ROWS[name][1].layers if isinstance(one, Conv)]
    assert {(one.size, one.filters, one.init_scale) for one in convolutions} == {
        (size, filters, 0.1)
    }
    assert len(convolutions) == 3


def test_the_deeper_network_has_one_more_convolution_and_no_more_pooling():
    layers = ablations.ROWS["deeper"][1].layers
    assert sum(isinstance(one, Conv) for one in layers) == 4
    assert sum(isinstance(one, MaxPool) for one in layers) == 2
    assert sum(one == ReLU() for one in layers) == 4


def test_without_model_3_s_seeds_nothing_is_trained(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(ablations, "RESULTS", tmp_path)
    monkeypatch.setattr(ablations, "folder_for", lambda quick: tmp_path)
    with pytest.raises(
        UserError, match=r"^model 3 has 0 stored seeds, needs 10: run table_3 first$"
    ):
        ablations.main()
    assert list(tmp_path.iterdir()) == []
