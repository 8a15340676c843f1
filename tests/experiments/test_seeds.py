"""Every method of training many seeds is timed."""

import json
from pathlib import Path

import pytest

from experiments import _machine, seeds
from ffnn_jax.config import UserError


@pytest.mark.slow
def test_the_quick_setting_times_every_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(seeds, "_IMAGES", 100)
    seeds.main(quick=True)
    (path,) = (tmp_path / "runs" / "quick").glob("seeds-*.json")
    rows = json.loads(path.read_text())["rows"]
    methods = ["one by one", "threads", "mapped", "vmapped", "processes"]
    assert [row["method"] for row in rows] == methods
    assert all(0 < row["spread"][0] <= row["median_ms"] for row in rows)


def test_nothing_is_timed_while_others_load_the_machine(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_machine.psutil, "getloadavg", lambda: (1.6, 0, 0))
    with pytest.raises(UserError, match=r"this machine is busy: load average 1\.6"):
        seeds.main()
