"""Where a run was made: versions and device."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import jax

_PACKAGES = ("ffnn-jax", "jax", "jaxlib", "numpy", "optax", "tensorflow-datasets")


def versions() -> dict[str, str]:
    """The versions that decide a result."""
    return {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES}


def device() -> dict[str, str | int | None]:
    """The device that jax computes on, and how precise its float32 products are asked to be."""
    first = jax.devices()[0]
    return {
        "platform": first.platform,
        "kind": first.device_kind,
        "count": jax.device_count(),
        "processor": _told("model name"),
        "cpu_cores": os.cpu_count(),
        "matmul_precision": jax.config.jax_default_matmul_precision,  # type: ignore[attr-defined]
    }


def arithmetic() -> dict[str, str | int | None]:
    """What decides the bits of a run beside its settings: another value may give others."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    config = jax.config.values
    return {
        "jaxlib": version("jaxlib"),
        "platform": jax.devices()[0].platform,
        "processor": _told("model name"),
        "cores": cores,
        "XLA_FLAGS": os.environ.get("XLA_FLAGS"),
        "jax_default_prng_impl": config["jax_default_prng_impl"],
        "jax_threefry_partitionable": config["jax_threefry_partitionable"],
        "jax_default_matmul_precision": config["jax_default_matmul_precision"],
    }


def processor_features() -> str:
    """What decides which programs the processor can run, as far as the system tells it."""
    return f"{platform.machine()} {_told('model name')} {_told('flags')}"


def _told(what: str) -> str:
    """What the system tells of the processor; its family where it tells nothing."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    found = (line.partition(": ")[2] for line in lines if line.startswith(what))
    return next(found, platform.processor())
