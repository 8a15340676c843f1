"""The sweep of Table 3 in its quick setting, and what it is made of."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest

from experiments import table_3
from experiments._sweep import append, read_records
from ffnn_jax.config import Dense, Refusal, Settings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the quick setting writes."""
    here = tmp_path_factory.mktemp("table_3")
    with contextlib.chdir(here):
        table_3.main(quick=True)
    return here / "runs" / "quick"


def test_the_quick_setting_stores_every_seed_and_the_table(folder: Path):
    result = json.loads((folder / "table_3.json").read_text())
    assert result["quick"] is True
    assert {row: one["seeds"] for row, one in result["rows"].items()} == {
        "2": [0, 1],
        "4-width-16": [0, 1],
    }
    assert result["rows"]["2"]["report"] == 0.45
    for row in result["rows"].values():
        for name in ("test_accuracy", "train_accuracy", "validation_accuracy"):
            assert len(row[name]) == 2
            assert all(0 <= accuracy <= 1 for accuracy in row[name])


def test_a_stored_seed_has_what_is_needed_to_run_it_again(folder: Path):
    records = read_records(folder / "table_3.jsonl")
    assert len(records) == 4
    for record in records:
        settings = Settings.from_json(record["settings"])
        assert (settings.seed, settings.seeds, settings.steps) == (record["seed"], 1, 3)
        assert sum(map(sum, record["confusion"])) == 1000
        correct = sum(record["confusion"][k][k] for k in range(10))
        assert record["test_accuracy"] == correct / 1000
        assert record["history"][-1][0] == 3
        assert set(record["data_sha256"]) == {
            f"mnist_5k/{s}" for s in ("train", "validation", "test")
        }


def test_a_sweep_that_is_started_again_runs_nothing_again(folder: Path):
    before = (folder / "table_3.jsonl").read_bytes()
    with contextlib.chdir(folder.parents[1]):
        table_3.main(quick=True)
    assert (folder / "table_3.jsonl").read_bytes() == before


def test_one_run_again_gives_what_is_stored(folder: Path, capsys: pytest.CaptureFixture[str]):
    stored = next(r for r in read_records(folder / "table_3.jsonl") if r["row"] == "2")
    rows = {"2": Settings.from_json(stored["settings"])}
    table_3._run_again("2", stored["seed"], rows, folder)
    said = capsys.readouterr().out.splitlines()
    assert said[1] == f"stored: {stored['test_accuracy']:.4f}, the same parameters"


@pytest.mark.parametrize(("model", "seed"), [("8", 1), (None, 1), ("3", None)])
def test_one_run_needs_a_model_and_a_seed(model, seed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refusal, match=r"one run needs --seed and --model \(known: 0, 1, 2, 3"):
        table_3.main(model, seed)


def test_what_was_killed_while_it_wrote_costs_that_seed_alone(tmp_path: Path):
    path = tmp_path / "some.jsonl"
    append(path, {"row": "0", "seed": 0})
    whole = path.read_bytes()
    with path.open("ab") as file:
        file.write(b'{"row": "0", "se')
    assert [record["seed"] for record in read_records(path)] == [0]
    append(path, {"row": "0", "seed": 1})
    assert path.read_bytes() == whole + b'{"row": "0", "seed": 1}\n'


def test_the_other_readings_change_the_hidden_width_or_the_steps_alone():
    others = table_3.settings_of_other_readings()
    assert set(others) == {"4-width-16", "4-width-256", "5-width-16", "5-width-256", "7-steps"}
    assert others["4-width-256"].layers[-2:] == (Dense(256), Dense(10))
    steps = others["7-steps"]
    assert (steps.steps, steps.batch_size, steps.learning_rate) == (10_000, 16, 1e-3)


def test_the_claims_are_answered_once_every_model_has_two_seeds():
    accuracies = ("test_accuracy", "train_accuracy", "validation_accuracy")
    generator = np.random.default_rng(0)
    records = [
        {"row": row, "seed": seed, **{name: generator.random() for name in accuracies}}
        for row in table_3.ROWS
        for seed in (1, 0)
    ]
    result = table_3.table(records, quick=False)
    assert result["rows"]["6a"]["seeds"] == [0, 1]
    assert [claim["letter"] for claim in result["claims"]] == list("abcccdddeffggg")
    assert all(claim["n"] == 2 and claim["answer"] for claim in result["claims"])
    assert table_3.table(records[:-1], quick=False)["claims"] == []


def test_the_report_s_accuracies_are_those_of_its_table():
    assert list(table_3.REPORT.values()) == [0.48, 0.48, 0.45, 0.54, 0.53, 0.54, 0.48, 0.56, 0.55]
