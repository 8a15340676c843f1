"""A whole run is timed from start to end, and a missing peer is reported."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from experiments import _machine, whole_run
from ffnn_jax.config import UserError

PEERS = ("flax_tuned", "flax_user", "plain_rung", "torch_rung", "torch_tuned", "torch_user")


@pytest.mark.slow
def test_the_quick_setting_times_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    whole_run.main(quick=True)
    (path,) = (tmp_path / "runs" / "quick").glob("whole-run-*.json")
    (row,) = json.loads(path.read_text())["rows"]
    assert (row["variant"], row["ratio_to_ours"]) == ("ours", 1)
    assert 1 < row["median_seconds"] < row["median_seconds_to_the_end"]
    assert 0 < row["accuracy"][0] < 1


@pytest.mark.parametrize("peer", PEERS)
def test_an_installed_peer_trains_and_tests(peer: str):
    library = peer.partition("_")[0]
    if library != "plain" and importlib.util.find_spec(library) is None:
        pytest.skip("the extra bench is not installed")
    if peer == "flax_user":
        pytest.importorskip("grain")
    found = whole_run._run((sys.executable, "-m", f"experiments.whole.{peer}", "--quick"), {})
    assert 0 < found["accuracy"] < 1


def test_the_peers_of_a_rung_train_alike():
    """Twelve steps from the same weights on the same batches, in two libraries."""
    pytest.importorskip("torch")
    commands = [(*whole_run._peer(name), "--quick") for name in ("torch_rung", "plain_rung")]
    one, other = (whole_run._run(command, {})["accuracy"] for command in commands)
    assert one == pytest.approx(other, abs=0.01)
    assert one > 0.2


def test_a_missing_peer_is_skipped_and_reported(monkeypatch: pytest.MonkeyPatch):
    answers = {"ours": 2.0, "rival": None}

    def run(command: tuple[str, ...], environment: dict[str, str]) -> dict[str, float]:
        if answers[command[0]] is None:
            raise UserError("ModuleNotFoundError: No module named 'rival'")
        return {"seconds": 2.0, "seconds_to_the_end": 2.0, "accuracy": 0.5}

    monkeypatch.setattr(whole_run, "_run", run)
    runs, skipped = whole_run._rounds({"ours": ("ours",), "rival": ("rival",)}, 2)
    assert list(runs) == ["ours"]
    assert len(runs["ours"]) == 2
    assert "No module named 'rival'" in skipped["rival"]


def test_a_skipped_peer_fails_the_command_after_storing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    stored = {"quick": True, "rows": [], "skipped": {"flax-user": "No module named 'grain'"}}
    monkeypatch.setattr(whole_run, "measure", lambda *_: stored)
    with pytest.raises(UserError, match=r"^skipped: flax-user \(No module named 'grain'\)"):
        whole_run.main(quick=True)
    assert list((tmp_path / "runs" / "quick").glob("whole-run-*.json"))
    with pytest.raises(UserError, match=r"unknown peer 'flx'.*did you mean flax\?$"):
        whole_run.main(quick=True, without=["flx"])
    with pytest.raises(UserError, match=r"unknown preset 'minute' .known: cifar10-0, cifar10-m"):
        whole_run.main(quick=True, only="minute")


def test_ratios_are_of_runs_of_the_same_round():
    def runs(*seconds: float) -> list[dict[str, float]]:
        return [{"seconds": s, "seconds_to_the_end": s + 1, "accuracy": 0.5} for s in seconds]

    rows = whole_run._rows({"ours": runs(10, 20, 40), "theirs": runs(30, 40, 160)})
    assert [row["ratio_to_ours"] for row in rows] == [1.0, 3.0]
    assert [row["median_seconds"] for row in rows] == [20.0, 40.0]
    assert [row["median_seconds_to_the_end"] for row in rows] == [21.0, 41.0]


def test_a_failed_run_is_reported_by_its_last_line():
    with pytest.raises(UserError, match=r"^no luck$"):
        whole_run._run((sys.executable, "-c", "raise SystemExit('no luck')"), {})


def test_timing_stops_when_the_test_accuracy_is_printed():
    said = "import os, time; print('test accuracy', os.environ['SAID'])"
    code = f"{said}; time.sleep(1); print('no more')"
    found = whole_run._run((sys.executable, "-c", code), {"SAID": "0.75"})
    assert found["accuracy"] == 0.75
    assert found["seconds"] + 1 < found["seconds_to_the_end"]


def test_nothing_is_run_while_others_load_the_machine(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_machine.psutil, "getloadavg", lambda: (1.6, 0, 0))
    with pytest.raises(UserError, match=r"this machine is busy: load average 1\.6"):
        whole_run.measure(quick=False)
