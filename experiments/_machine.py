"""The machine that something runs on: its cores and name, versions, commit, whether it is quiet."""

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from ffnn_jax.config import UserError

_PEERS = ("flax", "equinox", "keras", "torch")
_MOST_LOAD = 1.5


def usable_cores() -> list[int]:
    """The cores that this process may use; one where the system binds no process to a core."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]


def bind_to(cores: Iterable[int]) -> None:
    """Keeps this process on these cores, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def processor(device: Mapping[str, Any], cores: int = 0) -> str:
    """As in "1 core of AMD EPYC"; all cores if it is not said how many."""
    cores = cores or int(device["cpu_cores"])
    where = device["processor"] if device["platform"] == "cpu" else device["kind"]
    return f"{cores} core{'s' if cores > 1 else ''} of {where}"


def device_name() -> str:
    """The device in a file's name, as in "cpu-amd-epyc"."""
    from ffnn_jax.runs import device

    where = device()
    named = processor(where).partition(" of ")[2] or str(where["kind"])
    return re.sub(r"[^a-z0-9]+", "-", f"{where['platform']} {named}".lower()).strip("-")


def package_versions() -> dict[str, str]:
    """The versions that a run keeps, and those of the peers that are there."""
    from ffnn_jax.runs import versions

    found = versions()
    for name in _PEERS:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def commit() -> str:
    """What git calls this state of the clone."""
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(
        command, cwd=Path(__file__).parent, check=False, capture_output=True, text=True
    )
    return done.stdout.strip() or "unknown"


def provenance(quick: bool) -> dict[str, Any]:
    """What a measurement keeps beside its numbers."""
    return {
        "quick": quick,
        "device": device_name(),
        "commit": commit(),
        "versions": package_versions(),
    }


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
        UserError: they do not.
    """
    load = os.getloadavg()[0]
    if load > _MOST_LOAD:
        raise UserError(f"others load this machine with {load:.1f} cores, at most {_MOST_LOAD}")
