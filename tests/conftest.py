"""The regime of every test: nothing is promoted, broadcast or rounded without being asked."""

from collections.abc import Iterator

import jax
import pytest

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_default_matmul_precision", "highest")


@pytest.fixture
def quick_compilation() -> Iterator[None]:
    """Half of the time goes into compiling what runs a few times: without most optimisations."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def x64() -> Iterator[None]:
    """Float64 for one test; the library itself never asks for it."""
    with jax.enable_x64(True):
        yield
