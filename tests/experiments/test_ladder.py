"""The ladder: its rungs are the presets, candidates see no test image, and its page."""

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from experiments import ladder
from experiments._ladder_figure import draw_ladder
from experiments._results import read_result
from ffnn_jax.config import UserError, Validation, preset
from ffnn_jax.runs.sweeps import read_records


def row(accuracies: list[float]) -> dict[str, Any]:
    return {
        "test_accuracy": accuracies, "plain_test_accuracy": [0.85] * len(accuracies),
        "parameters": 131_072, "training_flops": 1.2e13, "train_seconds": 81.4,
        "seeds": list(range(len(accuracies))),
    }  # fmt: skip


def test_a_rung_is_its_preset_with_named_forms():
    for name, settings in ladder.rungs().items():
        expected = preset(name).to_json()
        assert settings.forms
        assert settings.to_json() == {**expected, "forms": dict(settings.forms)}


def test_candidates_train_on_all_but_the_held_out_images():
    tried = ladder.candidates("cifar10-minute", ladder.rungs()["cifar10-minute"])
    assert {one.validation for one in tried.values()} == {Validation("last", 5000)}
    steps = {one.steps * one.batch_size // 256 for one in tried.values()}
    assert steps == {round(0.9 * 780), round(0.9 * 634)}
    base = tried["cifar10-minute, Nesterov"]
    slower = tried["cifar10-minute, learning rate 0.7 times"]
    assert slower.learning_rate == 0.7 * base.learning_rate
    assert tried["cifar10-minute, no lookahead"].lookahead == 0


def test_candidates_of_another_rung_see_its_own_epochs():
    rung = ladder.rungs()["cifar10-coffee"]
    tried = ladder.candidates("cifar10-coffee", rung)
    assert tried["cifar10-coffee, Nesterov"].steps == round(0.9 * rung.steps)
    assert len(tried) == 4
    assert ladder.by_muon(rung, 8, 0.08) == rung


def test_selection_has_no_quick_setting():
    with pytest.raises(UserError, match=r"^--select holds out images of the full data set"):
        ladder.main(select=True, quick=True)


def test_the_chosen_candidate_is_the_preset():
    rung = ladder.rungs()["cifar10-minute"]
    assert ladder.by_muon(rung, 3.25, 0.08) == rung


def test_muon_in_larger_batches_sees_as_many_images():
    rung, top = preset("cifar10-minute"), preset("cifar10-94")
    larger = dataclasses.replace(rung, batch_size=512)
    settings = ladder.by_muon(larger, 4, 0.16)
    assert (settings.optimizer, settings.muon_rate, settings.lookahead) == ("muon", 0.16, 0)
    assert settings.steps * settings.batch_size == 4 * 195 * 256
    assert settings.learning_rate / 512 == pytest.approx(top.learning_rate / 2000)
    assert settings.group_steps == (("whitening", 3 * 195 // 2),)
    assert settings.layers == rung.layers


def test_candidates_are_validated_and_never_tested(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    calls = []
    monkeypatch.setattr(ladder, "sweep", lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(ladder, "_below", lambda quick: {})
    monkeypatch.setattr(ladder, "folder_for", lambda quick: tmp_path)
    ladder.main(("cifar10-minute",), seeds=3, select=True)
    ladder.main(("cifar10-minute",))
    (tried, seeds, path, tested), (rows, all_seeds, stored) = calls
    assert (set(tried), list(seeds), tested) == (
        set(ladder.candidates("cifar10-minute", ladder.rungs()["cifar10-minute"])), [0, 1, 2], False
    )  # fmt: skip
    assert path != stored
    assert (list(rows), len(all_seeds)) == (["cifar10-minute"], 20)


def test_an_unknown_rung_is_named_with_its_nearest():
    expected = r"unknown rung 'cifar10-cofee' .known: cifar10-minute, .*mean cifar10-coffee\?$"
    with pytest.raises(UserError, match=expected):
        ladder.main(("cifar10-cofee",))


def test_the_page_has_a_line_for_each_rung_and_candidate():
    tried = {"cifar10-minute, no smoothing": {"seeds": [0], "validation_accuracy": [0.85]}}
    page = ladder.section({"rows": {"cifar10-minute": row([0.86, 0.87])}, "candidates": tried})
    line = (
        "| `cifar10-minute` | 131,072 | 0.012 | 86.5 ± 0.7 | 80.15 to 92.85 | 85.0 ± 0.0 | 86 | 2 "
    )
    assert line in page
    assert "| cifar10-minute, no smoothing | 85.0 | 1 |" in page


def test_a_rung_is_held_against_its_aim():
    assert ladder.verdict("cifar10-minute", row([0.855, 0.857])) == (
        "aim of 86 %: missed by 0.40 points"
    )
    assert ladder.verdict("mnist-99", row([0.995, 0.996])) == "aim of 99.5 %: reached"


def test_the_figure_has_a_label_for_each_rung():
    figure = draw_ladder({"minute": row([0.86, 0.87]), "94": row([0.94])}, {"own": row([0.63])})
    (axes,) = figure.axes
    assert {text.get_text() for text in axes.texts} == {"minute", "94"}


@pytest.mark.slow
def test_the_quick_setting_stores_both_accuracies(tmp_path: Path):
    with contextlib.chdir(tmp_path):
        ladder.main(quick=True)
        folder = tmp_path / "runs" / "quick"
        assert len(read_records(folder / "ladder.jsonl")) == 2
        found = read_result(folder / "ladder.json")["rows"]["cifar10-minute"]
    assert len(found["test_accuracy"]) == len(found["plain_test_accuracy"]) == 2
    assert (folder / "ladder.png").stat().st_size > 0
