"""The environment of a run: versions and device."""

import os
import platform
from importlib.metadata import version

import jax

from ffnn_jax._processor import cpu_info, usable_cores

_PACKAGES = ("ffnn-jax", "jax", "jaxlib", "numpy", "optax", "tensorflow-datasets")


def versions() -> dict[str, str]:
    """The versions that results depend on."""
    return {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES}


def device() -> dict[str, str | int | None]:
    """The device that jax computes on, and the configured precision of float32 products."""
    first = jax.devices()[0]
    return {
        "platform": first.platform,
        "kind": first.device_kind,
        "count": jax.device_count(),
        "processor": cpu_info("model name"),
        "cpu_cores": os.cpu_count(),
        "matmul_precision": jax.config.jax_default_matmul_precision,  # type: ignore[attr-defined]
    }


def arithmetic() -> dict[str, str | int | None]:
    """Everything besides the settings that may change the bits of a run's results."""
    config = jax.config.values
    return {
        "jaxlib": version("jaxlib"),
        "platform": jax.devices()[0].platform,
        "processor": cpu_info("model name"),
        "cores": usable_cores(),
        "XLA_FLAGS": os.environ.get("XLA_FLAGS"),
        "jax_default_prng_impl": config["jax_default_prng_impl"],
        "jax_threefry_partitionable": config["jax_threefry_partitionable"],
        "jax_default_matmul_precision": config["jax_default_matmul_precision"],
    }


def processor_features() -> str:
    """The processor features that compiled programs depend on, as far as the system lists them."""
    return f"{platform.machine()} {cpu_info('model name')} {cpu_info('flags')}"
