"""Commands are timed to their line or to their end, and a checkout stands beside another."""

import os
from pathlib import Path

import pytest

from experiments import start
from experiments.start import Case, start_table
from ffnn_jax.config import UserError

PROGRAM = """
import sys, time
print("compiling")
if sys.argv[1] == "steps":
    print("step 10/3000"), sys.stdout.flush(), time.sleep(60)
if sys.argv[1] == "fails":
    sys.exit("no such run")
"""
ROW = {
    "command": "predict",
    "checkout": "now",
    "median_seconds": 0.9,
    "spread": [0.85, 1.0],
    "ratio": 0.52,
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose command prints a line, and then goes on, ends or fails."""
    (tmp_path / "ffnn_jax").mkdir()
    (tmp_path / "ffnn_jax" / "__init__.py").touch()
    (tmp_path / "ffnn_jax" / "__main__.py").write_text(PROGRAM)
    return tmp_path


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs wait4")
def test_a_command_is_timed_until_its_line_appears(checkout: Path):
    seconds, cores = start._lap(Case(("steps",), "step "), checkout, checkout)
    assert 0 < seconds < 60
    assert cores > 0


def test_a_command_that_fails_is_a_user_error(checkout: Path):
    with pytest.raises(UserError, match="ffnn-jax fails: no such run"):
        start._lap(Case(("fails",)), checkout, checkout)
    with pytest.raises(UserError, match="ffnn-jax ends"):
        start._lap(Case(("ends",), "step "), checkout, checkout)


def test_every_checkout_is_timed_in_turn(monkeypatch: pytest.MonkeyPatch, checkout: Path):
    seen = []

    def lap(case: Case, folder: Path, home: Path) -> tuple[float, float]:
        seen.append((case.arguments[0], folder.name))
        return float(len(seen)), 1.0

    monkeypatch.setattr(start, "_lap", lap)
    result = start.measure({"before": Path("a"), "now": Path("b")}, ["--help"], 3)
    assert seen[-6:] == [("--help", "a"), ("--help", "b")] * 3
    rows = [(row["checkout"], row["median_seconds"], row["ratio"]) for row in result["rows"]]
    assert rows == [("before", 7.0, 1.0), ("now", 8.0, 1.143)]


def test_the_table_has_the_ratio_where_both_were_timed():
    before = {**ROW, "checkout": "before", "median_seconds": 1.8, "spread": [1.7, 1.9]}
    assert start_table([before, ROW]).splitlines()[2] == (
        "| `ffnn-jax predict` | 1.80 (1.70 to 1.90) | 0.90 (0.85 to 1.00) | 0.52 |"
    )
    assert start_table([ROW]).splitlines()[2].endswith("| – | 0.90 (0.85 to 1.00) | – |")
