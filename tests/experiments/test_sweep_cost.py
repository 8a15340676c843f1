"""The cost of Dask is measured against a pool that does the same work."""

import json
from pathlib import Path

import pytest

from experiments import sweep_cost

pytest.importorskip("distributed")


@pytest.mark.slow
def test_both_store_the_same_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    stored = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sweep_cost, "append", lambda path, record: stored.append(record))
    sweep_cost.main(quick=True)
    result = json.loads((tmp_path / "runs" / "quick" / "sweep_cost.json").read_text())
    assert [len(result[name]["seconds"]) for name in ("pool", "dask")] == [1, 1]
    digests = [(one["seed"], one["parameters_sha256"]) for one in stored]
    assert sorted(digests[:2]) == sorted(digests[2:]) and len({*digests}) == 2
    assert capsys.readouterr().out.endswith(" % over 2 seeds\n")
