"""The machine of a measurement: its cores and name, versions, commit, whether it is idle."""

import contextlib
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from ffnn_jax.config import UserError

_PEERS = ("flax", "equinox", "keras", "torch")
_LARGEST_LOAD = 1.5


def processor(device: Mapping[str, Any], cores: int = 0) -> str:
    """Cores and processor, as in "1 core of AMD EPYC"; 0 cores means all."""
    cores = cores or int(device["cpu_cores"])
    where = device["processor"] if device["platform"] == "cpu" else device["kind"]
    return f"{cores} core{'s' if cores > 1 else ''} of {where}"


def device_name() -> str:
    """The device as part of a file name, as in "cpu-amd-epyc"."""
    from ffnn_jax.runs import device

    where = device()
    name = processor(where).partition(" of ")[2] or str(where["kind"])
    return re.sub(r"[^a-z0-9]+", "-", f"{where['platform']} {name}".lower()).strip("-")


def package_versions() -> dict[str, str]:
    """The versions that a run stores, and those of the installed peers."""
    from ffnn_jax.runs import versions

    result = versions()
    for name in _PEERS:
        with contextlib.suppress(PackageNotFoundError):
            result[name] = version(name)
    return result


def commit() -> str:
    """The clone's state, as ``git describe`` names it."""
    command = ["git", "describe", "--always", "--dirty"]
    result = subprocess.run(
        command, cwd=Path(__file__).parent, check=False, capture_output=True, text=True
    )
    return result.stdout.strip() or "unknown"


def provenance(quick: bool) -> dict[str, Any]:
    """The metadata stored with a measurement."""
    return {
        "quick": quick,
        "device": device_name(),
        "commit": commit(),
        "versions": package_versions(),
    }


def peak_megabytes() -> float:
    """The most memory that this process has had."""
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset / 2**20
    import resource

    unit = 1 if sys.platform == "darwin" else 2**10  # in bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def require_quiet() -> None:
    """Requires that the machine is idle.

    Raises:
        UserError: the load average is too high.
    """
    load = psutil.getloadavg()[0]
    if load > _LARGEST_LOAD:
        raise UserError(f"this machine is busy: load average {load:.1f}, at most {_LARGEST_LOAD}")
