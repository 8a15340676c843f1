"""``jax_debug_nans`` and ``jax_debug_infs``, which users enable, report nothing on healthy code."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from ffnn_jax import layers
from ffnn_jax.catalogue import OP_SPECS, Case, OpSpec

MODES: dict[str, Callable[[Any], Any]] = {"eager": lambda function: function, "jit": jax.jit}
EAGER = {"dense", "softmax_cross_entropy"}
JITTED = EAGER | {"conv2d", "conv_transpose2d", "max_pool", "batch_norm", "rms_norm", "silu"}
RUNS = [
    pytest.param(
        spec,
        case,
        mode,
        id=f"{spec.name}-{mode}",
        marks=()
        if case is spec.cases[0] and spec.name in (JITTED if mode == "jit" else EAGER)
        else pytest.mark.slow,
    )
    for spec in OP_SPECS
    for case in spec.cases
    for mode in MODES
]


@pytest.fixture(autouse=True)
def _debugging() -> Iterator[None]:
    with jax.debug_nans(True), jax.debug_infs(True):
        yield


def called(spec: OpSpec, case: Case) -> tuple[Callable[..., Any], list[jax.Array]]:
    """An operation with its static arguments, and arrays for the others."""
    drawn = spec.draw_arguments(case, case.sizes[0])
    return lambda *arrays: spec.op(*arrays, **case.static), list(map(jnp.asarray, drawn))


def total(outputs: Any) -> jax.Array:
    return jnp.asarray(sum(jnp.sum(z) for z in jax.tree.leaves(outputs)))


def test_the_catalogue_has_every_operation():
    public = {name for name in layers.__all__ if isinstance(getattr(layers, name), jax.custom_vjp)}
    assert {spec.name for spec in OP_SPECS} == public


@pytest.mark.parametrize(("spec", "case", "mode"), RUNS)
def test_an_operation_and_its_gradients_make_no_nan_and_no_infinity(spec, case, mode):
    op, arrays = called(spec, case)
    real = tuple(k for k, array in enumerate(arrays) if jnp.issubdtype(array.dtype, jnp.floating))
    MODES[mode](op)(*arrays)
    MODES[mode](jax.grad(lambda *given: total(op(*given)), real))(*arrays)


def test_a_label_out_of_range_is_reported():
    with pytest.raises(FloatingPointError):
        layers.softmax_cross_entropy(jnp.zeros((2, 3)), jnp.array([0, 3]))
