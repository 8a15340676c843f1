"""The best within the budget: allowed candidates, the choice among them, the quick setting."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from experiments import budget
from experiments._results import RESULTS
from ffnn_jax.config import Crop, Flip, Settings, UserError
from ffnn_jax.network import Network
from ffnn_jax.nn import Conv, Dense
from ffnn_jax.runs.sweeps import append, read_records

CANDIDATE_KEYS = [(row, name) for row, some in budget.CANDIDATES.items() for name in some]
SHAPE = (32, 32, 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the quick setting writes."""
    here = tmp_path_factory.mktemp("budget")
    with contextlib.chdir(here):
        budget.main(quick=True)
    return here / "runs" / "quick"


@pytest.fixture(scope="module")
def result(folder: Path) -> dict[str, Any]:
    """The stored result."""
    return json.loads((folder / "budget.json").read_text())


@pytest.mark.slow
def test_the_quick_setting_has_both_rows(result: dict[str, Any]):
    assert result["quick"] is True
    assert list(result["rows"]) == list(result["chosen"]) == ["own", "wider"]
    for row in result["rows"].values():
        assert len(row["test_accuracy"]) == 2


@pytest.mark.slow
def test_the_page_names_every_candidate_and_both_rows(result: dict[str, Any]):
    page = budget.section(result)
    for row, some in result["candidates"].items():
        assert f"| {row} | {result['chosen'][row]} |" in page
        for name in some:
            assert f"| {row} | {name} |" in page


@pytest.mark.slow
def test_candidates_are_stored_without_a_test_accuracy(folder: Path):
    for record in read_records(folder / "budget.jsonl"):
        assert ("test_accuracy" in record) == (", tested: " in record["row"])
        digests = {"mnist_5k/train", "mnist_5k/validation", "mnist_5k/test"}
        assert digests - set(record["data_sha256"]) <= {"mnist_5k/test"}


@pytest.mark.parametrize(("row", "name"), CANDIDATE_KEYS)
def test_a_candidate_keeps_to_the_budget(row: str, name: str):
    settings = budget.CANDIDATES[row][name]
    assert settings.steps * settings.batch_size <= 80_000
    fixed_fields = ("dataset", "train_images", "validation", "seed", "seeds", "weight_decay")
    for field in fixed_fields:
        assert getattr(settings, field) == getattr(budget.MODEL_3, field)
    assert {type(one) for one in settings.augmentations} <= {Flip, Crop}
    assert [type(one) for one in settings.layers] == [type(one) for one in budget.MODEL_3.layers]
    ours, theirs = (Network(one.layers, SHAPE).summary() for one in (settings, budget.MODEL_3))
    times = 1 if row == "own" else 4
    assert ours.forward_flops <= times * theirs.forward_flops
    total = ours.forward_flops + ours.backward_flops
    assert total <= times * (theirs.forward_flops + theirs.backward_flops)


@pytest.mark.parametrize("name", budget.CANDIDATES["own"])
def test_own_is_model_3_s_network_except_for_its_initial_weights(name: str):
    for ours, theirs in zip(
        budget.CANDIDATES["own"][name].layers, budget.MODEL_3.layers, strict=True
    ):
        if isinstance(ours, Conv | Dense):
            assert vars(ours) | {"init_scale": 0} == vars(theirs) | {"init_scale": 0}
        else:
            assert ours == theirs


def test_no_two_candidates_are_equal():
    for row in budget.CANDIDATES:
        candidates = [*budget.CANDIDATES[row].values(), *budget.NOT_ELIGIBLE[row].values()]
        assert len(set(candidates)) == len(candidates)


def test_the_aim_is_missed_or_reached_in_points():
    assert budget.verdict("own", [0.6, 0.64]) == "aim of 63 %: missed by 1.0 points"
    assert budget.verdict("wider", [0.7, 0.72]) == "aim of 70 %: reached"


ACCURACIES = {
    "a": (0.5, 0.9, 0.9), "b": (0.6, 0.7, 0.7), "c": (0.7, 0.7, 0.7), "d": (0.8, 0.1, 0.1),
}  # fmt: skip


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The (row, seed) pairs that sweeps would have trained; a fake sweep stores them."""
    trained: list[tuple[str, int]] = []

    def fake_sweep(rows: Any, seeds: Any, path: Path, tested: bool) -> None:
        assert not tested
        for row, seed in ((row, seed) for row in rows for seed in seeds):
            if (row, seed) not in trained:
                trained.append((row, seed))
                accuracy = ACCURACIES[row.removeprefix("own: ")][seed]
                append(path, {"row": row, "seed": seed, "validation_accuracy": accuracy})

    monkeypatch.setattr(budget, "sweep", fake_sweep)
    return trained


def test_the_best_advance_to_more_seeds_and_the_best_of_these_is_chosen(tmp_path, done):
    """The last is the best with one seed and the worst of the finalists with three."""
    settings: dict[str, Settings] = dict.fromkeys(ACCURACIES, budget.MODEL_3)
    assert budget.choose({"own": settings}, tmp_path / "b.jsonl", 3) == {"own": "c"}
    assert len(done) == 4 + 2 * budget.FINALISTS


def test_repeating_the_choice_trains_nothing_and_agrees(tmp_path, done):
    settings: dict[str, Settings] = dict.fromkeys(ACCURACIES, budget.MODEL_3)
    first = budget.choose({"own": settings}, tmp_path / "b.jsonl", 3)
    trained = list(done)
    assert budget.choose({"own": settings}, tmp_path / "b.jsonl", 3) == first
    assert done == trained


def test_a_second_candidate_of_a_row_is_not_tested():
    tested = [{"row": "own, tested: a", "test_accuracy": 0.6}, {"row": "own: b"}]
    budget.require_one_test(["own, tested: a"], tested)
    with pytest.raises(UserError, match="'own, tested: a': the test set is read once"):
        budget.require_one_test(["own, tested: b"], tested)


def test_the_stored_choice_is_the_best_by_validation_over_three_seeds():
    stored = json.loads((RESULTS / "budget.json").read_text())
    for row, some in stored["candidates"].items():
        assert set(some) == {*budget.CANDIDATES[row], *budget.NOT_ELIGIBLE[row]}
        finalists = {name: one for name, one in some.items() if len(one["seeds"]) >= 3}
        assert set(finalists) <= set(budget.CANDIDATES[row])
        assert len(finalists) == budget.FINALISTS
        best = max(finalists, key=lambda name: sum(finalists[name]["validation_accuracy"]))
        assert stored["chosen"][row] == best
