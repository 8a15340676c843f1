"""Variants are timed in turn and compared with ours; what is not the same step is rejected."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments import _machine, speed
from experiments._speed_figure import draw_speed
from experiments._speed_rows import largest_difference, row_of, why_rejected
from experiments._stopwatch import Lap, calls_for
from experiments.peers._workload import Workload
from ffnn_jax.config import UserError

WORKLOAD = Workload("mnist", 16)
ROWS = [
    {"network": network, "batch": 16, "variant": variant, "ratio_to_ours": ratio}
    for network in ("mnist", "wide")
    for variant, ratio in (("ours", 1.0), ("plain-scan", 12.5), ("torch-last-2", 0.8))
]


@pytest.mark.slow
def test_the_quick_setting_times_two_variants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(speed, "_LAP_SECONDS", 0.01)
    speed.main(quick=True)
    (path,) = (tmp_path / "runs" / "quick").glob("speed-*.json")
    result = json.loads(path.read_text())
    assert [row["variant"] for row in result["rows"]] == ["ours", "ours-loop"]
    ours = result["rows"][0]
    assert ours["ratio_to_ours"] == 1
    assert ours["spread"][0] <= ours["median_ms"] <= ours["spread"][1]
    assert ours["gflops"] == pytest.approx(140.6e-3 / ours["median_ms"] * 1e3, rel=0.01)
    assert result["peak_gflops"] > 1
    assert path.with_suffix(".png").exists()


def test_one_network_can_be_timed_again_beside_the_stored_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / f"speed-{_machine.device_name()}.json"
    stored = [{"network": "mnist", "variant": "ours"}, {"network": "wide", "variant": "ours"}]
    path.write_text(json.dumps({"quick": False, "rows": stored}))
    new = {"network": "wide", "variant": "ours", "batch": 32}
    timed = {"quick": False, "rows": [new], "skipped": {}}
    monkeypatch.setattr(speed, "folder_for", lambda quick: tmp_path)
    monkeypatch.setattr(speed, "measurements", lambda *given: [timed])
    monkeypatch.setattr(speed, "draw_speed", lambda rows: None)
    monkeypatch.setattr(speed, "save_figure", lambda figure, path: None)
    speed.main(only="wide")
    assert json.loads(path.read_text())["rows"] == [stored[0], new]
    with pytest.raises(UserError, match=r"^--only: unknown network 'wid' .*did you mean wide\?$"):
        speed.main(only="wid")


def test_a_missing_peer_is_skipped_and_reported():
    variants = {"ours": "ours", "rival": "not_installed"}
    rows, skipped = speed._workload_rows(WORKLOAD, variants, 1)
    assert [row["variant"] for row in rows] == ["ours"]
    assert "not_installed" in skipped["rival"]


def test_a_peer_with_other_losses_is_not_timed(monkeypatch: pytest.MonkeyPatch):
    found = {"ours": [2.0, 1.0], "rival": [2.0, 1.001], "torch-bf16": [2.0, 1.001]}
    timed: list[str] = []

    class Runner(_Runner):
        def losses(self, count: int) -> list[float]:
            return found[self.variant]

        def lap(self, calls: int) -> Lap:
            timed.append(self.variant)
            return Lap(1.0, 1.0)

    monkeypatch.setattr(speed, "Runner", Runner)
    _, skipped = speed._workload_rows(WORKLOAD, dict.fromkeys(["ours", "rival"], "module"), 1)
    assert skipped == {"rival": "mnist at batch 16, its losses differ by 1.0e-03"}
    assert set(timed) == {"ours"}
    found["plain"] = [3.0, 1.0]
    with pytest.raises(UserError, match=r"^ours: mnist at batch 16, its losses differ"):
        speed._workload_rows(WORKLOAD, dict.fromkeys(["ours", "plain"], "module"), 1)


class _Runner:
    def __init__(self, module: str, variant: str, *others: Any) -> None:
        self.variant = variant

    def costs(self) -> dict[str, float]:
        return {}

    def close(self) -> None:
        pass


def test_losses_are_compared_by_precision():
    assert why_rejected("flax", 1e-5) is None
    assert why_rejected("torch-bf16", 1e-3) is None
    for variant, apart in (("flax", 2e-4), ("flax", float("nan")), ("torch-bf16", 0.03)):
        assert why_rejected(variant, apart) == f"its losses differ by {apart:.1e}"
    assert largest_difference([2.0, 1.0], [2.0, 1.25, 9.0]) == pytest.approx(0.2)


def test_bfloat16_is_compared_with_bfloat16():
    laps = {"ours": [Lap(1.0, 1.0)], "ours-bf16": [Lap(0.4, 1.0)], "torch-bf16": [Lap(0.2, 1.0)]}
    row = row_of(WORKLOAD, "torch-bf16", laps, {}, 1e-3)
    assert (row["ratio_to_ours"], row["precision"]) == (0.5, "bf16")
    assert row_of(WORKLOAD, "ours-bf16", laps, {}, 1e-3)["ratio_to_ours"] == 1


def test_on_large_networks_a_library_s_first_variant_has_20_losses():
    large, names = Workload("narrow94", 512), ["ours", "torch-2", "torch-last-2", "torch-bf16"]
    assert [speed._losses_of(large, name, names) for name in names] == [20, 20, 4, 4]
    assert [speed._losses_of(WORKLOAD, name, names) for name in names] == [20, 20, 20, 4]


def test_a_skipped_peer_fails_the_command_after_storing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    stored = {"quick": True, "rows": ROWS, "skipped": {"keras": "No module named 'keras'"}}
    monkeypatch.setattr(speed, "measurements", lambda *_: iter([stored]))
    with pytest.raises(UserError, match=r"^skipped: keras \(No module named 'keras'\)"):
        speed.main(quick=True)
    (path,) = (tmp_path / "runs" / "quick").glob("speed-*.json")
    assert json.loads(path.read_text()) == stored
    assert path.with_suffix(".png").exists()


def test_nothing_is_timed_while_others_load_the_machine(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_machine.psutil, "getloadavg", lambda: (1.6, 0, 0))
    with pytest.raises(UserError, match=r"this machine is busy: load average 1\.6"):
        next(speed.measurements(quick=False))


def test_a_stored_variant_that_no_longer_exists_is_not_drawn():
    rows = [{"variant": name} for name in ("ours", "ours-gone", "plain-scan", "torch-last-64")]
    drawn = [row["variant"] for row in speed.rows_of_current_variants(rows)]
    assert drawn == ["ours", "plain-scan", "torch-last-64"]


def test_each_round_begins_with_a_different_variant():
    names = list("abcdefg")
    turns = [list(speed._rotated(names, turn)) for turn in range(7)]
    assert [sorted(turn) for turn in turns] == [names] * 7
    assert {turn[0] for turn in turns} == set(names)


def test_a_lap_is_about_as_long_as_requested():
    assert calls_for(0.5, Lap(0.005, 1.0), steps=10) == 10
    assert calls_for(0.5, Lap(0.005, 1.0), steps=2) == 50
    assert calls_for(0.5, Lap(9.0, 1.0), steps=10) == 1


def test_a_bar_is_as_long_as_the_ratio():
    figure: Any = draw_speed(ROWS)
    first, second = (axes for axes in figure.axes if axes.axison)
    assert first.get_title() == "mnist, batch 16"
    for axes in (first, second):
        widths = [bar.get_width() for bar in axes.patches]
        np.testing.assert_array_equal(widths, [1.0, 12.5, 0.8])
        assert [text.get_text() for text in axes.texts] == [" 1.00", " 12.50", " 0.80"]
        assert [t.get_text() for t in axes.get_yticklabels()] == [
            "ours", "plain-scan", "torch-last-2",
        ]  # fmt: skip
