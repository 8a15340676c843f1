"""The environment of a run: versions and device."""

import os
import platform
from importlib.metadata import version

import jax

from ffnn_jax._device import device_in_use, require_platform
from ffnn_jax._processor import processor, usable_cores
from ffnn_jax.config import UserError

_PACKAGES = ("ffnn-jax", "jax", "jaxlib", "numpy", "optax", "tensorflow-datasets")


def versions() -> dict[str, str]:
    """The versions that results depend on."""
    return {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES}


def require_ready() -> None:
    """Rejects what would stop a run, before its data is loaded.

    Raises:
        UserError: jax has no device here, or compiles nothing.
    """
    require_platform()
    if jax.config.jax_disable_jit:  # type: ignore[attr-defined]
        raise UserError("JAX_DISABLE_JIT is set, but a run consists of compiled steps: unset it")


def device() -> dict[str, str | int | None]:
    """The device that jax computes on, and the configured precision of float32 products."""
    used = device_in_use()
    return {
        "platform": used.platform,
        "kind": used.device_kind,
        "count": jax.device_count(),
        "processor": processor().name,
        "cpu_cores": usable_cores(),
        "matmul_precision": jax.config.jax_default_matmul_precision,  # type: ignore[attr-defined]
    }


def arithmetic() -> dict[str, str | int | None]:
    """Everything besides the settings that may change the bits of a run's results."""
    config, used = jax.config.values, device_in_use()
    return {
        "jaxlib": version("jaxlib"),
        "platform": used.platform,
        "device": used.device_kind,
        "devices": jax.device_count(),
        "processor": processor().name,
        "processor features": processor().digest,
        "cores": usable_cores(),
        "XLA_FLAGS": os.environ.get("XLA_FLAGS"),
        "jax_default_prng_impl": config["jax_default_prng_impl"],
        "jax_threefry_partitionable": config["jax_threefry_partitionable"],
        "jax_default_matmul_precision": config["jax_default_matmul_precision"],
    }
