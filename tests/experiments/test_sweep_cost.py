"""The cost of Dask is measured against a pool that does the same work."""

import json
from pathlib import Path

import pytest

from experiments import sweep_cost


@pytest.mark.slow
def test_both_store_the_same_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    pytest.importorskip("distributed")
    stored = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sweep_cost, "append", lambda path, record: stored.append(record))
    sweep_cost.main(quick=True)
    result = json.loads((tmp_path / "runs" / "quick" / "sweep_cost.json").read_text())
    assert [len(result[name]["seconds"]) for name in ("pool", "dask")] == [1, 1]
    digests = [(one["seed"], one["parameters_sha256"]) for one in stored]
    assert sorted(digests[:2]) == sorted(digests[2:]) and len({*digests}) == 2
    assert capsys.readouterr().out.startswith("2 seeds of model 3 take Dask ")


def test_the_line_has_the_median_of_ratios_within_a_turn():
    result = {
        "seeds": 30, "cores": 2, "device": "cpu-amd-epyc",
        "pool": {"start": [2.0, 1.0, 3.0], "seconds": [50.0, 100.0, 100.0]},
        "dask": {"start": [1.0, 1.0, 4.0], "seconds": [75.0, 99.0, 102.0]},
    }  # fmt: skip
    line = sweep_cost.sweep_cost_line(result)
    assert "Dask 1.020 times" in line and "turns of 1.50, 0.99, 1.02, on 2 cores" in line
    assert "1.0 s against 2.0 s" in line
