"""The sweep of Table 3 in its quick setting, and the table made from it."""

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments import _table_3_section, table_3
from experiments._claims import cells
from experiments._formatting import mean_and_sd
from experiments._statistics import spread
from experiments._table_3_section import compromise
from ffnn_jax.config import Settings, UserError
from ffnn_jax.nn import Dense
from ffnn_jax.runs.sweeps import append, read_records

pytestmark = pytest.mark.usefixtures("quick_compilation_of_the_module")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the quick setting writes."""
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


def test_a_stored_seed_can_be_repeated_from_its_record(folder: Path):
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


def test_a_restarted_sweep_repeats_nothing(folder: Path):
    before = (folder / "table_3.jsonl").read_bytes()
    with contextlib.chdir(folder.parents[1]):
        table_3.main(quick=True)
    assert (folder / "table_3.jsonl").read_bytes() == before


def test_a_repeated_run_reproduces_the_stored_one(folder: Path, capsys: pytest.CaptureFixture[str]):
    stored = next(r for r in read_records(folder / "table_3.jsonl") if r["row"] == "2")
    rows = {"2": Settings.from_json(stored["settings"])}
    table_3._repeat_run("2", stored["seed"], rows, folder)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == f"stored: {stored['test_accuracy']:.4f}, the same parameters"


def test_a_repeated_run_that_differs_is_reported_and_fails(tmp_path, monkeypatch, capsys):
    stored = fake_records(1)[0]
    append(tmp_path / "table_3.jsonl", {**stored, "parameters_sha256": "one"})
    again = {**stored, "parameters_sha256": "another", "versions": {"jax": "9"}}
    monkeypatch.setattr(table_3, "run_alone", lambda *args: again)
    with pytest.raises(SystemExit) as exit_info:
        table_3._repeat_run("0", 0, table_3.settings_of_rows(), tmp_path)
    assert exit_info.value.code == 1
    assert "DIFFERENT parameters (different versions)" in capsys.readouterr().out


def test_pairs_of_runs_a_point_apart_are_counted_in_whole_percents():
    first, second = {"test_accuracy": [0.541, 0.544]}, {"test_accuracy": [0.539, 0.546, 0.53]}
    assert _table_3_section._share_apart(first, second) == pytest.approx(4 / 6)
    assert _table_3_section._share_apart(first, first) == 0


@pytest.mark.parametrize(
    ("model", "seed", "message"),
    [
        ("33", 1, r"^model: '33' is unknown \(known: 0, 1, 2, 3,.*\); did you mean 3\?$"),
        (None, 1, r"^--seed also needs --model \(known: 0, 1, 2, 3"),
        ("3", None, r"^--model also needs --seed, as in --seed 7$"),
    ],
)
def test_a_repeated_run_needs_a_known_model_and_a_seed(model, seed, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        table_3.main(model, seed)


def test_the_other_readings_change_only_the_hidden_width_or_the_steps():
    others = table_3.settings_of_other_readings()
    assert set(others) == {"4-width-16", "4-width-256", "5-width-16", "5-width-256", "7-steps"}
    assert others["4-width-256"].layers[-2:] == (Dense(256), Dense(10))
    steps = others["7-steps"]
    assert (steps.steps, steps.batch_size, steps.learning_rate) == (10_000, 16, 1e-3)


DEVICE = {"platform": "cpu", "kind": "cpu", "processor": "Acme 9", "cpu_cores": 2}


def fake_records(seeds: int = 3) -> list[dict[str, Any]]:
    """Stored seeds of every row, with random accuracies."""
    accuracies = ("test_accuracy", "train_accuracy", "validation_accuracy")
    generator = np.random.default_rng(0)
    settings = table_3.settings_of_rows() | table_3.settings_of_other_readings()
    return [
        {
            "row": row, "seed": seed, **{name: generator.random() for name in accuracies},
            "confusion": [], "parameters": 1000 * place, "train_seconds": 30.0,
            "settings": {**settings[row].to_json(), "dataset": "mnist_5k"},
            "data_sha256": {}, "versions": {}, "device": DEVICE,
        }
        for place, row in enumerate(settings)
        for seed in reversed(range(seeds))
    ]  # fmt: skip


def test_the_claims_are_answered_once_every_model_has_two_seeds():
    records = [record for record in fake_records(2) if record["row"] in table_3.ROWS]
    result = table_3.table(records, quick=False)
    assert result["rows"]["6a"]["seeds"] == [0, 1]
    assert [claim["label"] for claim in result["claims"]] == list("abcccdddeffggg")
    assert all(claim["n"] == 2 and claim["verdict"] for claim in result["claims"])
    assert table_3.table(records[:-1], quick=False)["claims"] == []


def test_the_page_has_every_row_claim_and_reading():
    result = table_3.table(fake_records(), quick=False)
    lines = _table_3_section.section(result).splitlines()
    for row, layers in zip(table_3.ROWS, (8, 7, 6, 11, 12, 13, 14, 8, 8), strict=True):
        assert any(line.startswith(f"| {row} | {layers} | ") for line in lines)
        found = spread(result["rows"][row]["test_accuracy"])
        report = f"{100 * table_3.REPORT[row]:.0f}"
        ours = f"{100 * found.mean:.1f} ± {100 * found.sd:.1f}"
        assert any(line.startswith(f"| {row} | {report} | {ours} | ") for line in lines)
    for claim in result["claims"]:
        assert any(cells(claim) in line and claim["text"] in line for line in lines)
    readings = [line for line in lines if line.endswith(("| yes |", "| no |"))]
    assert len(readings) == 2 * 6 + 2


def test_the_header_quotes_every_row():
    result = table_3.table(fake_records(), quick=False)
    header = table_3.header(result)
    for row in table_3.ROWS:
        ours = mean_and_sd(result["rows"][row]["test_accuracy"])
        assert f"Model {row}: report {table_3.REPORT[row]:.2f}, ours {ours}.\n" in header


def test_the_case_for_and_against_the_final_model_is_stated():
    cheap = {"seeds": [0, 1], "training_flops": 10, "parameters": 5, "test_accuracy": [0.5, 0.52]}
    rows = {row: dict(cheap) for row in table_3.ROWS}
    rows["3"]["test_accuracy"] = [0.6, 0.62]
    assert compromise(rows).endswith(" No model is more accurate at any cost.")
    rows["6b"] = {**cheap, "test_accuracy": [0.7, 0.74], "training_flops": 20}
    assert compromise(rows) == (
        "With no more operations, no model is more accurate on average; with no more parameters, "
        "model 6b is more accurate on average. The most accurate model, 6b, takes 2.0 times the "
        "operations and 1.0 times the parameters for +11.0 points [-1.7, +23.7]."
    )
    rows["4"] = {**cheap, "test_accuracy": [0.65, 0.65], "parameters": 6}
    assert compromise(rows).startswith("With no more operations, model 4 is more accurate")


def test_the_report_s_accuracies_are_those_of_its_table():
    assert list(table_3.REPORT.values()) == [0.48, 0.48, 0.45, 0.54, 0.53, 0.54, 0.48, 0.56, 0.55]
