"""The machine of a run: versions, device, compiled programs kept between runs, and forms."""

import dataclasses
import json
import logging
import os
import platform
import re
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
from platformdirs import user_cache_path

from ffnn_jax._device import device_in_use, require_platform
from ffnn_jax._processor import processor, usable_cores
from ffnn_jax.config import UserError, preset
from ffnn_jax.layers.fast import ACCELERATOR, TABLES, Table, kind_of

_PACKAGES = ("ffnn-jax", "jax", "jaxlib", "numpy", "optax", "tensorflow-datasets")
_SETTINGS = (
    "jax_default_prng_impl", "jax_threefry_partitionable", "jax_default_matmul_precision",
)  # fmt: skip
_MAX_BYTES = 1 << 30
_JAX_WARNING = re.compile("Error (?:reading|writing) persistent compilation cache .*?: (.*)")
_log = logging.getLogger(__name__)


def versions() -> dict[str, str]:
    """The versions that results depend on."""
    return {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES}


def require_ready() -> None:
    """Raises a UserError, before data is loaded, if jax has no device or compiles nothing."""
    require_platform()
    if jax.config.jax_disable_jit:  # type: ignore[attr-defined]
        raise UserError("JAX_DISABLE_JIT is set, but a run consists of compiled steps: unset it")


def device(used: int = 1) -> dict[str, str | int | None]:
    """The devices, those used, and the configured precision of float32 products."""
    first = device_in_use()
    return {
        "platform": first.platform, "kind": first.device_kind,
        "count": jax.device_count(), "used": used,
        "processor": processor().name, "cpu_cores": usable_cores(),
        "matmul_precision": jax.config.values["jax_default_matmul_precision"],
    }  # fmt: skip


def arithmetic(devices: int = 1) -> dict[str, str | int | None]:
    """Everything besides the settings that may change the bits of a run's results."""
    used, chip = device_in_use(), processor()
    return {
        "jaxlib": version("jaxlib"), "platform": used.platform, "device": used.device_kind,
        "devices": devices, "processor": chip.name, "processor features": chip.digest,
        "cores": usable_cores(), "XLA_FLAGS": os.environ.get("XLA_FLAGS"),
        **{name: jax.config.values[name] for name in _SETTINGS},
    }  # fmt: skip


def enable_compilation_cache() -> Path | None:
    """Makes jax cache compiled programs in the user's cache folder from now on.

    A folder already configured, as by ``JAX_COMPILATION_CACHE_DIR``, is kept. Programs are
    specific to a processor, so each kind of processor has its own folder.

    Returns the cache folder; None if it cannot be written to.
    """
    _shorten_warnings()
    configured: str | None = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    if configured:
        return Path(configured)
    folder = user_cache_path("ffnn_jax") / "compiled" / _folder_name()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None
    if not os.access(folder, os.W_OK):
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    # with a limit jax locks the folder, so that concurrent runs read complete programs
    jax.config.update("jax_compilation_cache_max_size", _MAX_BYTES)
    return folder


def _shorten_warnings() -> None:
    """Makes one line of jax's warnings, one a program, that a file of the cache has failed."""
    show, said = warnings.showwarning, set[str]()

    def show_once(message: Warning | str, *args: Any, **kwargs: Any) -> None:
        failed = _JAX_WARNING.match(str(message))
        if failed is None:
            show(message, *args, **kwargs)
        elif not said:
            said.add(failed[1])
            _log.warning("the cache of compiled programs failed: %s", failed[1])

    warnings.showwarning = show_once


def _folder_name() -> str:
    return f"jaxlib-{version('jaxlib')}-{processor().digest}"


def forms_here(one_program: bool = False) -> Table:
    """The table of this processor: the one timed on it, or shipped.

    Other devices need one only where one program trains several seeds.
    """
    if jax.default_backend() != "cpu":
        return ((ACCELERATOR, "im2col"),) if one_program else ()
    path = timed_forms_path()
    try:
        if not path.exists():
            return TABLES.get(kind_of(processor()), ())
        table = tuple(json.loads(path.read_text(encoding="utf-8")).items())
        dataclasses.replace(preset("mnist"), forms=table)  # a UserError unless settings take it
        return table
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"{path}: {error}; remove it, or time the forms again") from None


def timed_forms_path() -> Path:
    """The file of a table that was timed on this kind of processor, if one was."""
    return user_cache_path("ffnn_jax") / f"forms-{processor().digest}.json"
