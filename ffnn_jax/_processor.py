"""The processor: its cores, its name, and the features that compiled programs may use."""

import contextlib
import functools
import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

# Keys of /proc/cpuinfo on x86, ARM, POWER and RISC-V, and of macOS's sysctl.
_NAMES = ("model name", "machdep.cpu.brand_string", "cpu", "uarch")
_ARM_NAMES = ("CPU implementer", "CPU part", "CPU variant", "CPU revision")
_FEATURES = ("flags", "Features", "isa", "machdep.cpu.features", "machdep.cpu.leaf7_features")
_SWITCHES = "hw.optional"
_SYSCTL = ("sysctl", "machdep.cpu.brand_string", *_FEATURES[-2:], _SWITCHES)


class Processor(NamedTuple):
    """A processor's name and its features, sorted; none where the system names none."""

    name: str
    features: tuple[str, ...]

    @property
    def digest(self) -> str:
        """What differs where compiled programs may differ."""
        text = " ".join([platform.machine(), self.name, *self.features])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def usable_cores() -> int:
    """The number of cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def core_numbers() -> list[int]:
    """The cores that this process may use; only core 0 where the system has no CPU affinity."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]


def bind_to(cores: Iterable[int]) -> None:
    """Binds this process to these cores, where the system supports it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


@functools.cache
def processor() -> Processor:
    """The processor of this machine; on Windows as Python names it, by family and model."""
    text = ""
    with contextlib.suppress(OSError):
        if sys.platform == "darwin":  # each chip lacks some of the keys: no error
            text = subprocess.run(_SYSCTL, capture_output=True, text=True, check=False).stdout
        else:
            text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    return parse_processor(text)


def parse_processor(text: str) -> Processor:
    """Reads lines of "key: value", as in /proc/cpuinfo, where each core has its own."""
    fields: dict[str, dict[str, None]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), {})[value.strip()] = None
    values = {key: "/".join(different) for key, different in fields.items()}
    names = [values[key] for key in _NAMES if key in values]
    names += [f"{key} {values[key]}" for key in _ARM_NAMES if key in values]
    words = " ".join(value for key in _FEATURES for value in fields.get(key, ())).split()
    words += [key for key, value in values.items() if key.startswith(_SWITCHES) and value == "1"]
    return Processor(", ".join(names) or platform.processor(), tuple(sorted({*words})))
