"""Claims in the report's text as figures, in the quick setting, and what they compare."""

import contextlib
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments import text_claims
from ffnn_jax.nn import ReLU, Sigmoid

FIGURES = {f"text_claims_{name}.png" for name in ("batches", "activations", "smoothness")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the quick setting writes."""
    here = tmp_path_factory.mktemp("text_claims")
    with contextlib.chdir(here):
        text_claims.main(quick=True)
    return here / "runs" / "quick"


@pytest.fixture(scope="module")
def result(folder: Path) -> dict[str, Any]:
    """The stored result."""
    return json.loads((folder / "text_claims.json").read_text())


@pytest.mark.slow
def test_the_quick_setting_writes_a_result_and_its_figures(folder: Path, result: dict[str, Any]):
    assert {path.name for path in folder.iterdir()} == FIGURES | {"text_claims.json"}
    assert result["quick"] is True


@pytest.mark.slow
def test_the_page_has_every_curve_and_figure(result: dict[str, Any]):
    page = text_claims.section(result)
    assert all(f"](results/{name})" in page for name in FIGURES)
    for name in ("batches of 16", "all images", "batches of 16, sigmoid"):
        assert f"\n| {name} | 0.1 |" in page


def test_batches_and_all_images_are_compared_after_equal_time():
    def curve(seconds: float, accuracies: dict[int, float]) -> dict[str, Any]:
        history = [{"step": n, "validation_accuracy": one} for n, one in accuracies.items()]
        settings = {"learning_rate": 0.1, "steps": max(accuracies)}
        stored = {"settings": settings, "train_seconds": seconds, "history": history}
        return {**stored, "test_accuracy": [0.5, 0.6]}

    page = text_claims.section(
        {
            "mini-batch": curve(3.0, {50: 0.5, 100: 0.8, 150: 0.9}),
            "full gradient": curve(2.5, {1: 0.1, 2: 0.3}),
            "sigmoid": curve(3.0, {50: 0.5, 150: 0.9}),
            "smoothness": {"measured": [1.0], "expected": [1.0]},
        }
    )
    for sentence in (
        "2 steps over all images take 2.5 s and reach a mean validation accuracy of 30%.",
        "In the same time, 100 steps over 16 images reach 80%.",
    ):
        assert sentence in page


def test_full_gradients_use_all_images_per_step_and_no_more_in_total():
    settings = dataclasses.replace(text_claims._WITH_RELU, steps=3000)
    full = text_claims.full_gradient(settings)
    assert full.batch_size == 3600
    assert full.steps * full.batch_size <= 3000 * 16 < (full.steps + 1) * full.batch_size


def test_the_sigmoid_network_differs_only_in_its_activation():
    layers = text_claims.with_sigmoid(text_claims._WITH_RELU).layers
    assert [ReLU() if one == Sigmoid() else one for one in layers] == list(
        text_claims._WITH_RELU.layers
    )
    assert ReLU() not in layers


def test_the_moving_average_follows_24():
    gradients = np.array([4.0, 0.0, 8.0])
    assert text_claims._moving_average(gradients, 0.75).tolist() == [1.0, 0.75, 2.5625]


def test_the_expected_deviation_is_that_of_independent_gradients():
    noise = np.random.default_rng(0).normal(size=40_000)
    for mu in (0.0, 0.5, 0.9):
        settled = text_claims._moving_average(noise, mu)[1000:]
        assert settled.std() == pytest.approx(np.sqrt((1 - mu) / (1 + mu)), rel=0.03)


def test_the_rate_with_the_best_validation_is_kept(monkeypatch: pytest.MonkeyPatch):
    def fake_compute(settings: Any, splits: Any) -> Any:
        rate = settings.learning_rate
        trained = type("TrainingResult", (), {"train_seconds": 2.0, "history": []})
        return type("RunResult", (), {
            "settings": settings, "validation_accuracy": [{0.1: 0.5, 0.3: 0.8, 1.0: 0.6}[rate]],
            "test_accuracy": [rate], "trained": trained, "models": ["model"], "best": 0,
        })  # fmt: skip

    monkeypatch.setattr(text_claims, "compute", fake_compute)
    stored, model = text_claims._best_rate(text_claims._WITH_RELU, (0.1, 0.3, 1.0))
    assert (stored["settings"]["learning_rate"], stored["test_accuracy"]) == (0.3, [0.3])
    assert stored["validation_accuracy_by_rate"] == {"0.1": 0.5, "0.3": 0.8, "1.0": 0.6}
    assert model == "model"
