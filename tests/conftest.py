"""Settings of every test: no implicit promotion, broadcasting or rounding.

Programs that several tests, processes and notebooks need are compiled once, in a folder that is
deleted after the tests. A shell that starts the tests in the background has them ignore SIGINT, and
nohup SIGHUP; the processes that they interrupt must receive both.
"""

import atexit
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # set by the first process; the others inherit it
    _CACHE = tempfile.mkdtemp(prefix="ffnn_jax-compiled-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _CACHE
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.05"
    os.environ["JAX_COMPILATION_CACHE_MAX_SIZE"] = str(1 << 30)  # a limit makes jax lock it
    atexit.register(shutil.rmtree, _CACHE, ignore_errors=True)

if "XLA_FLAGS" not in os.environ and version("jaxlib").startswith("0.10."):
    # many tests take a third less time so; XLA_FLAGS= python -m pytest compiles as users do
    os.environ["XLA_FLAGS"] = "--xla_cpu_use_fusion_emitters=false"

import jax
import pytest

from tests import blank

_REGIONS, _MANY_REGIONS = Path("/proc/self/maps"), 20_000

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(getattr(signal, "SIGHUP", signal.SIGINT)) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_default_matmul_precision", "highest")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips what holds on a CPU alone if jax computes elsewhere."""
    if item.get_closest_marker("cpu") and jax.default_backend() != "cpu":
        pytest.skip("holds on a CPU alone")


@pytest.fixture(autouse=True, scope="module")
def _programs_are_released() -> Iterator[None]:
    """Linux allows a process 65,530 mapped regions, and every compiled program takes some."""
    yield
    if _REGIONS.exists() and _REGIONS.read_bytes().count(b"\n") > _MANY_REGIONS:
        jax.clear_caches()


@contextmanager
def _compiled_quickly() -> Iterator[None]:
    jax.config.update("jax_disable_most_optimizations", True)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")  # for the processes that tests start
        yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def quick_compilation() -> Iterator[None]:
    """Compiles without most optimisations: compiling takes half the time of programs run rarely."""
    with _compiled_quickly():
        yield


@pytest.fixture(scope="module")
def quick_compilation_of_the_module() -> Iterator[None]:
    """The same for all tests of a module and its shared fixtures."""
    with _compiled_quickly():
        yield


@pytest.fixture
def blank_figures() -> Iterator[None]:
    """Saves blank figures in the place of a run's."""
    with blank.blank_figures():
        yield


@pytest.fixture(scope="module")
def blank_figures_of_the_module() -> Iterator[None]:
    """Saves blank figures in all tests of a module and its shared fixtures."""
    with blank.blank_figures():
        yield


@pytest.fixture
def x64() -> Iterator[None]:
    """Float64 for one test; the library itself never enables it."""
    with jax.enable_x64(True):
        yield
