"""``jax_debug_nans`` set by the user: a healthy run is not stopped by it."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import in_a_process


@pytest.mark.slow  # tests/runs/test_compute.py has a sample in this process
def test_a_run_and_its_resumption_work_under_jax_debug_nans(tmp_path: Path):
    def train(*words: str) -> None:
        ran = in_a_process(tmp_path, "train", *words, JAX_DEBUG_NANS="1", JAX_DEBUG_INFS="1")
        assert (ran.returncode, ran.stderr) == (0, "")

    train("--steps", "3", "--seeds", "2", "--run-dir", "run")
    train("--resume", "run", "--steps", "5")
    assert json.loads((tmp_path / "run" / "config.json").read_text())["steps"] == 5
