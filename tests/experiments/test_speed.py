"""Every peer trains the same network in the same way, and slow variants are not hidden."""

import importlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from experiments import _machine, speed
from experiments._speed_figure import draw_speed
from experiments._stopwatch import Lap, calls_for
from experiments.peers._workload import CHUNK, Workload
from ffnn_jax.config import UserError

WORKLOAD = Workload("mnist", 16)
PEERS = {"flax_nnx": "flax", "equinox_": "equinox", "keras_": "keras", "torch_": "torch"}
INSTALLED = [
    variant
    for variant, module in speed.VARIANTS.items()
    if variant != "plain" and importlib.util.find_spec(PEERS.get(module, "jax"))
]
ROWS = [
    {"network": network, "batch": 16, "variant": variant, "ratio_to_ours": ratio}
    for network in ("mnist", "wide")
    for variant, ratio in (("ours", 1.0), ("plain-scan", 12.5), ("torch-last-2", 0.8))
]


def losses(variant: str) -> list[float]:
    """The first 2 CHUNK losses, under jax's default settings."""
    module = importlib.import_module(f"experiments.peers.{speed.VARIANTS[variant]}")
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        stepper = module.make(WORKLOAD, variant)
        return stepper.run() + stepper.run()


@pytest.fixture(scope="module")
def plain() -> list[float]:
    return losses("plain")


@pytest.mark.filterwarnings("ignore")  # warnings of the peers are not ours
@pytest.mark.parametrize("variant", INSTALLED)
def test_every_installed_variant_has_plain_jax_s_losses(variant: str, plain: list[float]):
    assert len(plain) == 2 * CHUNK
    assert plain[-1] < plain[0]
    assert speed._largest_difference(losses(variant), plain) < 1e-5


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


def test_a_missing_peer_is_skipped_and_reported():
    variants = {"ours": "ours", "rival": "not_installed"}
    rows, skipped = speed._workload_rows(WORKLOAD, variants, 1)
    assert [row["variant"] for row in rows] == ["ours"]
    assert "not_installed" in skipped["rival"]


def test_a_variant_with_different_losses_is_rejected():
    laps = {"ours": [Lap(1.0, 1.0)], "rival": [Lap(0.5, 1.0)]}
    assert speed._row(WORKLOAD, "rival", laps, {}, 1e-5)["ratio_to_ours"] == 0.5
    for apart in (2e-4, float("nan")):
        with pytest.raises(UserError, match="rival, mnist at batch 16: its losses differ"):
            speed._row(WORKLOAD, "rival", laps, {}, apart)


def test_nothing_is_timed_while_others_load_the_machine(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_machine.psutil, "getloadavg", lambda: (1.6, 0, 0))
    with pytest.raises(UserError, match=r"this machine is busy: load average 1\.6"):
        next(speed.measurements(quick=False))


def test_plain_jax_in_a_scan_is_timed_only_at_batch_16():
    for workload in speed.WORKLOADS:
        left_out = speed.VARIANTS.keys() - speed._variants(workload).keys()
        assert left_out == (set() if workload.batch == 16 else {"plain-scan"})


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
    assert calls_for(0.5, Lap(0.005, 1.0)) == 10
    assert calls_for(0.5, Lap(9.0, 1.0)) == 1


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
