"""The grid: what is timed on a workload, and in which environment."""

import os
import subprocess
import sys
from typing import Any

import pytest

from experiments import _variants
from experiments._stopwatch import Runner
from experiments._variants import VARIANTS, environment_of, grid_lines, variants_of
from experiments.peers._workload import Workload
from experiments.speed import WORKLOADS

IN_BF16 = {"ours-bf16", "torch-bf16"}


@pytest.mark.parametrize("workload", WORKLOADS, ids=str)
def test_only_what_cannot_win_is_left_out(workload: Workload):
    left_out = VARIANTS.keys() - variants_of(workload).keys()
    expected = {"plain-scan"} if workload.batch > 16 else set()
    if workload.network in ("narrow94", "airbench94"):
        slow = {"torch-1", "torch-last-1", "torch-compiled-1"} if _variants._CORES > 1 else set()
        expected |= {"ours-loop", "plain", "flax", "flax-split", "equinox", "keras"} | slow
    elif workload.network != "wide":
        expected |= IN_BF16
    assert left_out == expected


def test_what_the_user_names_is_left_out_too():
    timed = variants_of(WORKLOADS[0], ["torch", "flax-split"])
    assert {name.partition("-")[0] for name in timed} == {
        "ours", "plain", "flax", "equinox", "keras",
    }  # fmt: skip
    assert "flax-split" not in timed


def test_the_grid_names_every_variant_and_its_environment():
    lines = list(grid_lines(["keras"]))
    assert "  flax: flax, flax-split, flax-eigen, flax-split-eigen" in lines
    assert "  keras: left out" in lines
    named = {name for line in lines for name in line.partition(": ")[2].split(", ")}
    assert {name for name in VARIANTS if not name.startswith("keras")} <= named
    assert any(line.startswith("-eigen: XLA_FLAGS=--xla_cpu") for line in lines)


def test_convolutions_by_eigen_keep_what_xla_was_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XLA_FLAGS", "--told")
    flags = environment_of("flax-split-eigen")["XLA_FLAGS"]
    assert flags.startswith("--told --xla_cpu_experimental_ynn_fusion_type=")
    assert "XLA_FLAGS" not in environment_of("flax-split")


def test_xla_understands_the_option():
    code = "import jax; print(float(jax.numpy.ones(2).sum()))"
    environment = {**os.environ, **environment_of("plain-eigen")}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "2.0\n"


def test_a_runner_s_process_alone_has_its_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHANGED", "before")
    started: list[tuple[str | None, str | None]] = []

    def start(process: Any) -> None:
        started.append((os.environ.get("CHANGED"), os.environ.get("ADDED")))

    monkeypatch.setattr("multiprocessing.context.SpawnProcess.start", start)
    Runner("module", "ours", WORKLOADS[0], {"CHANGED": "inside", "ADDED": "inside"})
    assert started == [("inside", "inside")]
    assert (os.environ["CHANGED"], os.environ.get("ADDED")) == ("before", None)
