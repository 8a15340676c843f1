"""The regime of every test: nothing is promoted, broadcast or rounded without being asked.

Programs that several tests, processes and notebooks need are compiled once, and kept in a folder
that ends with the tests. A shell that starts the tests in the background has them ignore SIGINT;
the processes that they interrupt must hear it.
"""

import atexit
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator

if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # the first process here; the others inherit it
    _COMPILED = tempfile.mkdtemp(prefix="ffnn_jax-compiled-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _COMPILED
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.05"
    os.environ["JAX_COMPILATION_CACHE_MAX_SIZE"] = str(1 << 30)  # with a limit it is locked
    atexit.register(shutil.rmtree, _COMPILED, ignore_errors=True)

import jax
import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_default_matmul_precision", "highest")


@pytest.fixture
def quick_compilation() -> Iterator[None]:
    """Half of the time goes into compiling what runs a few times: without most optimisations."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="module")
def quick_compilation_of_the_module() -> Iterator[None]:
    """The same for all tests of a module, and for what they share."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def x64() -> Iterator[None]:
    """Float64 for one test; the library itself never asks for it."""
    with jax.enable_x64(True):
        yield
