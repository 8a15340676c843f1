"""The cache of compiled programs, kept between runs: repeating a run compiles nothing."""

import logging
import os
import re
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
from platformdirs import user_cache_path

from ffnn_jax._processor import processor

_MAX_BYTES = 1 << 30
_JAX_WARNING = re.compile("Error (?:reading|writing) persistent compilation cache .*?: (.*)")
_log = logging.getLogger(__name__)


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
