"""What a layer costs in a training step: what its backward keeps, and the time of both passes."""

import dataclasses
import functools
import math
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ffnn_jax import nn
from ffnn_jax.network._initialisation import combine, initialise, map_specs, partition, shapes
from ffnn_jax.nn import Layer, Shape, Tree

_REPEATS, _ENOUGH_MS = 25, 500


class Cost(NamedTuple):
    """What a layer costs in a training step.

    Attributes:
        kept_bytes: what its forward keeps for its backward, for one image, besides parameters. An
            array that the next layer keeps, too, is counted for both.
        forward_ms: milliseconds of its forward for a batch, by itself; None if it was not timed.
        backward_ms: the same of its backward; 0 if neither it nor what is before it is trained.
    """

    kept_bytes: int
    forward_ms: float | None = None
    backward_ms: float | None = None


@dataclasses.dataclass(frozen=True)
class CostMeter:
    """Measures layers for a batch of so many inputs of this dtype; their times if ``timed``.

    Convolutions take the forms of the context that holds where it is called.
    """

    batch: int
    dtype: str = "float32"
    timed: bool = False

    def __call__(self, layer: Layer, shape: Shape, params: Tree, needs_dx: bool) -> Cost:
        """The cost of a layer for inputs of this shape, given the ``Param`` of each parameter."""
        trained = map_specs(lambda param: param.trained, params)
        forward = functools.partial(_forward, layer, trained, needs_dx)
        specs = params, layer.state(shape)
        x = jax.ShapeDtypeStruct((self.batch, *shape), jnp.dtype(self.dtype))
        kept = _bytes_kept(forward, (*map(shapes, specs), x)) // self.batch
        return Cost(kept, *(_milliseconds(forward, specs, x) if self.timed else ()))


def _forward(
    layer: Layer, trained: Tree, needs_dx: bool, params: Tree, state: Tree, x: Array
) -> tuple[Array, Any]:
    """The output for a batch, and the function of dz that is its backward, if there is one."""
    key = nn.image_keys(jax.random.key(0), len(x)) if nn.needs_key([layer]) else None
    learned, frozen = partition(params, trained)

    def output(learned: Tree, x: Array) -> Array:
        return layer.apply(combine(learned, frozen), state, x, training=True, key=key)[0]

    if needs_dx:
        return jax.vjp(output, learned, x)
    if jax.tree.leaves(learned):
        return jax.vjp(lambda learned: output(learned, x), learned)
    return output(learned, x), None


def _bytes_kept(forward: Callable[..., Any], arguments: tuple[Any, ...]) -> int:
    """The bytes of what is kept for the backward; parameters and state are there anyhow."""
    traced = jax.make_jaxpr(lambda *arrays: forward(*arrays)[1])(*arguments).jaxpr
    given = traced.invars[:-1]
    values = [atom for atom in traced.outvars if not hasattr(atom, "val")]  # no literals
    kept = {value: value.aval for value in values if value not in given}
    return sum(math.prod(a.shape) * a.dtype.itemsize for a in kept.values())  # type: ignore[attr-defined]


def _milliseconds(
    forward: Callable[..., Any], specs: tuple[Tree, Tree], x: jax.ShapeDtypeStruct
) -> tuple[float, float]:
    """The median times of the compiled forward and backward of random inputs."""
    inputs = jax.random.normal(jax.random.key(1), x.shape, x.dtype)
    images = inputs.astype(jnp.float32)
    arrays = *(initialise(tree, jax.random.key(0), images) for tree in specs), inputs
    compiled = jax.jit(forward)
    z, pullback = compiled(*arrays)
    backward = jax.jit(lambda pullback, dz: pullback(dz))
    return _median_ms(compiled, *arrays), _median_ms(backward, pullback, z) if pullback else 0.0


def _median_ms(program: Callable[..., Any], *arguments: Any) -> float:
    """The median over repetitions, which end when they have taken half a second."""
    jax.block_until_ready(program(*arguments))  # compiles
    times = list[float]()
    while len(times) < _REPEATS and sum(times) < _ENOUGH_MS:
        start = time.perf_counter()
        jax.block_until_ready(program(*arguments))
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)
