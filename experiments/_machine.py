"""The machine that something is timed on: its name, versions, commit, and whether it is quiet."""

import os
import re
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from experiments._quote import processor
from ffnn_jax.config import Refusal

_PACKAGES = ("ffnn-jax", "jax", "jaxlib", "flax", "equinox", "keras", "torch", "numpy")
_MOST_LOAD = 1.5
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def device_name() -> str:
    """The device in a file's name, as in "cpu-amd-epyc"."""
    from ffnn_jax.runs import device

    where = device()
    named = processor(where).partition(" of ")[2] or str(where["kind"])
    return re.sub(r"[^a-z0-9]+", "-", f"{where['platform']} {named}".lower()).strip("-")


def package_versions() -> dict[str, str]:
    """The versions of what is timed, as far as it is there."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """What git calls this state of the clone."""
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(
        command, cwd=Path(__file__).parent, check=False, capture_output=True, text=True
    )
    return done.stdout.strip() or "unknown"


def peak_gflops() -> float:
    """The fastest of ten products of two float32 matrices, as numpy has it with all cores."""
    n = 2048
    a, b = np.random.default_rng(0).standard_normal((2, n, n), np.float32)
    seconds = []
    for _ in range(10):
        began = time.perf_counter()
        np.matmul(a, b)
        seconds.append(time.perf_counter() - began)
    return float(f"{2 * n**3 / min(seconds) / 1e9:.4g}")


def require_quiet() -> None:
    """Asks that others leave the machine alone.

    Raises:
        Refusal: they do not.
    """
    load = os.getloadavg()[0]
    if load > _MOST_LOAD:
        raise Refusal(f"others load this machine with {load:.1f} cores, at most {_MOST_LOAD}")
