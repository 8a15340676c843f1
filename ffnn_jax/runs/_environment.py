"""The environment of a run: versions and device."""

import os
import platform
from importlib.metadata import version

import jax

from ffnn_jax._device import device_in_use, require_platform
from ffnn_jax._processor import processor, usable_cores
from ffnn_jax.config import UserError

_PACKAGES = ("ffnn-jax", "jax", "jaxlib", "numpy", "optax", "tensorflow-datasets")
_SETTINGS = (
    "jax_default_prng_impl", "jax_threefry_partitionable", "jax_default_matmul_precision",
)  # fmt: skip


def versions() -> dict[str, str]:
    """The versions that results depend on."""
    return {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES}


def require_ready() -> None:
    """Raises a UserError, before data is loaded, if jax has no device or compiles nothing."""
    require_platform()
    if jax.config.jax_disable_jit:  # type: ignore[attr-defined]
        raise UserError("JAX_DISABLE_JIT is set, but a run consists of compiled steps: unset it")


def device() -> dict[str, str | int | None]:
    """The device that jax computes on, and the configured precision of float32 products."""
    used = device_in_use()
    return {
        "platform": used.platform, "kind": used.device_kind, "count": jax.device_count(),
        "processor": processor().name, "cpu_cores": usable_cores(),
        "matmul_precision": jax.config.values["jax_default_matmul_precision"],
    }  # fmt: skip


def arithmetic() -> dict[str, str | int | None]:
    """Everything besides the settings that may change the bits of a run's results."""
    used, chip = device_in_use(), processor()
    return {
        "jaxlib": version("jaxlib"), "platform": used.platform, "device": used.device_kind,
        "devices": jax.device_count(), "processor": chip.name, "processor features": chip.digest,
        "cores": usable_cores(), "XLA_FLAGS": os.environ.get("XLA_FLAGS"),
        **{name: jax.config.values[name] for name in _SETTINGS},
    }  # fmt: skip
