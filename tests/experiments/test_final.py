"""The final network in the quick setting, and the choice of the seed in its figures."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from experiments import final
from experiments._report import CIFAR10
from ffnn_jax.config import UserError, preset
from ffnn_jax.runs.sweeps import append

pytestmark = pytest.mark.usefixtures("quick_compilation_of_the_module")

FIGURES = set(final._FIGURES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the quick setting writes."""
    here = tmp_path_factory.mktemp("final")
    with contextlib.chdir(here):
        final.main(quick=True)
    return here / "runs" / "quick"


@pytest.fixture(scope="module")
def result(folder: Path) -> dict[str, Any]:
    """The stored result."""
    return json.loads((folder / "final.json").read_text())


def test_the_quick_setting_writes_a_result_and_its_figures(folder: Path, result: dict[str, Any]):
    assert {path.name for path in folder.iterdir()} == FIGURES | {"final.json"}
    assert result["quick"] is True
    assert result["settings"]["dataset"] == "mnist_5k"


def test_the_page_has_both_tables_and_every_figure(result: dict[str, Any]):
    page = final.section(result)
    first = " | ".join(f"{value:.3f}" for value in CIFAR10.precision)
    assert f"| Precision, report | {first} |" in page
    assert "| Convolutional | 2 | 2 | [3×3×2] |" in page
    assert all(f"](results/{name})" in page for name in FIGURES)


def test_drawing_uses_only_the_stored_result(folder: Path, tmp_path: Path, monkeypatch):
    (tmp_path / "runs" / "quick").mkdir(parents=True)
    stored = (folder / "final.json").read_bytes()
    (tmp_path / "runs" / "quick" / "final.json").write_bytes(stored)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delattr(final, "train_best_run")
    final.main(quick=True, draw_only=True)
    for path in folder.iterdir():
        assert (tmp_path / "runs" / "quick" / path.name).read_bytes() == path.read_bytes()


def records(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Three stored seeds, of which the second has the best validation accuracy."""
    one = {
        "row": "3", "train_seconds": 1.0, "confusion": result["confusion"][0],
        "settings": preset("cifar10-3").to_json(), "test_accuracy": 0.5, "train_accuracy": 0.6,
    }  # fmt: skip
    return [
        {**one, "seed": seed, "validation_accuracy": accuracy, "parameters_sha256": f"of {seed}"}
        for seed, accuracy in enumerate((0.4, 0.6, 0.5))
    ]


def test_the_figures_show_the_best_seed_by_validation(result: dict[str, Any], monkeypatch):
    best_run = {
        **result, "seed": 1, "confusion": result["confusion"][0], "parameters_sha256": "of 1",
        "history": [[100, 2.0, 0.3, 0.2]],
    }  # fmt: skip
    calls = []
    monkeypatch.setattr(final, "run_alone", lambda *args: calls.append(args) or best_run)
    found = final.measure(records(result))
    assert [(args[0], args[2]) for args in calls] == [(final.train_best_run, 1)]
    assert (found["best_seed"], found["seeds"]) == (1, [0, 1, 2])
    assert found["history"] == [
        {"seed": 1, "step": 100, "loss": 2.0, "accuracy": 0.3, "validation_accuracy": 0.2}
    ]


def test_a_seed_that_does_not_reproduce_the_stored_run_is_rejected(
    result: dict[str, Any], monkeypatch
):
    other = {**result, "seed": 1, "parameters_sha256": "of another processor"}
    monkeypatch.setattr(final, "run_alone", lambda *args: other)
    with pytest.raises(UserError, match=r"^seed 1 does not reproduce the stored run: run table_3"):
        final.measure(records(result))


def test_the_error_for_missing_seeds_names_the_experiment_to_run(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(final, "RESULTS", tmp_path)
    monkeypatch.setattr(final, "folder_for", lambda quick: tmp_path)
    append(tmp_path / "table_3.jsonl", {"row": "0", "seed": 0})
    with pytest.raises(
        UserError, match=r"^model 3 has 0 stored seeds, needs 1: run table_3 first$"
    ):
        final.main()
