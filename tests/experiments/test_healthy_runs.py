import json
from pathlib import Path

import pytest

from experiments import healthy_runs
from experiments._results import RESULTS, read_result


def row(runs: int, warnings: int) -> dict[str, list]:
    return {"test_accuracy": [0.5] * runs, "warnings": ["seed 0 learnt nothing"] * warnings}


def test_the_line_counts_the_runs_of_either_kind():
    rows = {"quickstart": row(3, 0), "cifar10-0": row(4, 1), "dead ReLU": row(5, 5)}
    line = healthy_runs.healthy_line({"rows": rows})
    assert line.startswith(
        "1 of 7 healthy short runs had one, 5 of 5 sick runs (learning rate 20, "
    )


def test_no_stored_healthy_run_has_a_warning_and_every_sick_one_has_its_own():
    """A learning rate that is too high kills units, or one class is left."""
    rows = read_result(RESULTS / "healthy_runs.json")["rows"]
    healthy = [rows[name] for name in healthy_runs.HEALTHY if name in rows]
    assert healthy
    assert all(row["warnings"] == [] for row in healthy)
    said = {
        "learning rate 20": "lower --learning-rate", "learning rate 1e-30": "the loss is not below",
        "shuffled labels": "check the labels", "dead ReLU": "every output of relu_5 is 0",
    }  # fmt: skip
    for name, words in said.items():
        assert len(rows[name]["warnings"]) == len(rows[name]["test_accuracy"])
        assert all(words in warning for warning in rows[name]["warnings"])


@pytest.mark.slow
def test_the_quick_setting_tells_healthy_from_sick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    healthy_runs.main(quick=True)
    result = json.loads((tmp_path / "runs" / "quick" / "healthy_runs.json").read_text())
    assert result["rows"].pop("quickstart")["warnings"] == []
    assert all(len(sick["warnings"]) == 1 for sick in result["rows"].values())
