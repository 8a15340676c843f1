import json
from pathlib import Path

import pytest

from experiments import healthy_runs


def row(runs: int, warnings: int) -> dict[str, list]:
    return {"test_accuracy": [0.5] * runs, "warnings": ["seed 0 learnt nothing"] * warnings}


def test_the_line_counts_the_runs_of_either_kind():
    rows = {"quickstart": row(3, 0), "cifar10-0": row(4, 1), "dead ReLU": row(5, 5)}
    line = healthy_runs.healthy_line({"rows": rows})
    assert line.startswith(
        "1 of 7 healthy short runs had one, 5 of 5 sick runs (learning rate 20, "
    )


@pytest.mark.slow
def test_the_quick_setting_tells_healthy_from_sick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    healthy_runs.main(quick=True)
    result = json.loads((tmp_path / "runs" / "quick" / "healthy_runs.json").read_text())
    assert result["rows"].pop("quickstart")["warnings"] == []
    assert all(len(sick["warnings"]) == 1 for sick in result["rows"].values())
