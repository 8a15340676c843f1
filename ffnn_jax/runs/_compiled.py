"""The cache of compiled programs, kept between runs: repeating a run compiles nothing."""

import hashlib
import os
from importlib.metadata import version
from pathlib import Path

import jax
from platformdirs import user_cache_path

from ffnn_jax.runs._environment import processor_features

_MAX_BYTES = 1 << 30


def enable_compilation_cache() -> Path | None:
    """Makes jax cache compiled programs in the user's cache folder from now on.

    A folder already configured, as by ``JAX_COMPILATION_CACHE_DIR``, is kept. Programs are
    specific to a processor, so each kind of processor has its own folder.

    Returns:
        The cache folder; None if it cannot be written to.
    """
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


def _folder_name() -> str:
    features = hashlib.sha256(processor_features().encode()).hexdigest()[:12]
    return f"jaxlib-{version('jaxlib')}-{features}"
