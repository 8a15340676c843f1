"""Compiled programs, kept between runs: a run that was made before compiles nothing."""

import hashlib
import os
from importlib.metadata import version
from pathlib import Path

import jax
from platformdirs import user_cache_path

from ffnn_jax.runs._environment import processor_features

_MOST_BYTES = 1 << 30


def enable_compilation_cache() -> Path | None:
    """Has jax keep what it compiles from here on in the user's cache folder.

    What was asked of jax already, as by ``JAX_COMPILATION_CACHE_DIR``, stays. Programs are the
    processor's own, so each kind of processor has a folder.

    Returns:
        Where programs are kept; None where the folder cannot be written to.
    """
    asked: str | None = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    if asked:
        return Path(asked)
    folder = user_cache_path("ffnn_jax") / "compiled" / _name()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None
    if not os.access(folder, os.W_OK):
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    # with a limit jax locks the folder, so that runs side by side read whole programs
    jax.config.update("jax_compilation_cache_max_size", _MOST_BYTES)
    return folder


def _name() -> str:
    features = hashlib.sha256(processor_features().encode()).hexdigest()[:12]
    return f"jaxlib-{version('jaxlib')}-{features}"
