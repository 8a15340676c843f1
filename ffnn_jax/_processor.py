"""Information about the processor."""

import os
import platform
from pathlib import Path


def usable_cores() -> int:
    """The number of cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_info(field: str) -> str:
    """A field of /proc/cpuinfo, such as "model name", or else ``platform.processor()``."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    values = (line.partition(": ")[2] for line in lines if line.startswith(field))
    return next(values, platform.processor())
