"""The forms of convolutions that are fastest on this machine: shipped, or timed once."""

import time
from collections.abc import Iterator
from typing import Any, NamedTuple, get_args

import jax
import jax.numpy as jnp

from ffnn_jax._processor import Processor, processor
from ffnn_jax.layers import conv2d_backward, conv2d_forward
from ffnn_jax.layers.fast import NAMES, TABLES, Map, Table, class_of, compiler_options, forms

_STEPS, _LAPS = 4, 5


class Convolution(NamedTuple):
    """A convolution of stride 1 with "SAME" padding, of square images and kernels."""

    images: int
    size: int
    kernel: int
    inputs: int
    outputs: int


def forms_here() -> Table:
    """The table for this processor; an empty one, the usual forms, where it is not known."""
    return TABLES.get(kind_of(processor()), ()) if jax.default_backend() == "cpu" else ()


def kind_of(chip: Processor) -> str:
    """The kind of a processor in ``TABLES``; "" if it is none of them."""
    if "EPYC" in chip.name:
        return "amd-epyc"
    return "intel-xeon-amx" if "Xeon" in chip.name and "amx_tile" in chip.features else ""


def timed_forms(shape: Convolution, dtype: str) -> Iterator[tuple[str, str, float]]:
    """Yields (class, form, seconds) of each map and form, inside a compiled loop, as in a step."""
    n, size, kernel, inputs, outputs = shape
    x, z = (jnp.ones((n, size, size, channels), dtype) for channels in (inputs, outputs))
    w = jnp.ones((kernel, kernel, inputs, outputs), dtype)
    for part in get_args(Map):
        name_of_class = class_of(part, w.shape, w.dtype)
        for name in ("usual", *NAMES):
            table = () if name == "usual" else ((name_of_class, name),)
            yield name_of_class, name, _seconds(part, table, x, w, z)


def _seconds(part: Map, table: Table, *arrays: Any) -> float:
    def compute(x: Any, w: Any, z: Any) -> Any:
        if part == "forward":
            return conv2d_forward(x, w, jnp.zeros_like(w[0, 0, 0]))[0]
        backward = conv2d_backward("SAME", 1, 1, 1, (x, w), z)
        return backward[0 if part == "images" else 1]

    def loop(*arrays: Any) -> Any:
        def step(zero: Any, _: None) -> tuple[Any, None]:  # no step can be left out or moved
            return compute(*(array + zero for array in arrays)).ravel()[0] * 0, None

        with forms(table):
            return jax.lax.scan(step, jnp.zeros((), arrays[0].dtype), None, length=_STEPS)[0]

    program = jax.jit(loop, compiler_options=compiler_options(table)).lower(*arrays).compile()
    program(*arrays).block_until_ready()
    return min(_lap(program, arrays) for _ in range(_LAPS)) / _STEPS


def _lap(program: Any, arrays: tuple[Any, ...]) -> float:
    began = time.perf_counter()
    program(*arrays).block_until_ready()
    return time.perf_counter() - began
