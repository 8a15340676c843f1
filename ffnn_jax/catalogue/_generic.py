"""Generic faults that any rule can have, generated from the operation's traits and arguments.

Each cotangent that the backward returns is scaled by a factor, negated, scaled in one entry or in
the last row of the batch, averaged over the batch, or left in the dtype of its sums. The cotangents
of the outputs are replaced by ones, and the residuals are detached from the arguments. A change
that would not be a fault, judging by the arguments and residuals, is omitted.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._faults import (
    Change,
    Fault,
    Function,
    change_cotangent,
    change_dz,
    change_residuals,
)
from ffnn_jax.verify import Argument, Traits, argument_names


def generic_faults(
    traits: Traits, arguments: Sequence[Argument], op: Function, backward: Function, residuals: Any
) -> Iterator[Fault]:
    """The generic faults of a rule with these arguments.

    Args:
        traits: the known properties of the operation.
        arguments: the operation's arguments.
        op: the operation, for the names of its arguments.
        backward: the correct backward.
        residuals: the forward's residuals; shapes and dtypes suffice.
    """
    names = argument_names(op)
    for index, argument in enumerate(arguments):
        for name, change in _changes(argument, traits.batch) if argument.is_real else ():
            yield Fault(f"d{names[index]} {name}", change_cotangent(backward, index, change))
        if argument.is_real and _averaging_is_a_fault(traits, arguments):
            yield Fault(f"d{names[index]} averaged", _average_cotangent(backward, index))
    yield Fault(f"{argument_names(backward)[-1]} replaced by ones", change_dz(backward, _ones))
    if any(map(_is_differentiable, jax.tree.leaves(residuals))):
        yield Fault("residuals detached", change_residuals(backward, jax.lax.stop_gradient))


def _changes(argument: Argument, batch: str | None) -> Iterator[tuple[str, Change]]:
    """Ways in which the cotangent of an argument can be wrong, by name."""
    yield "scaled by 1.0001", lambda d: 1.0001 * d
    yield "negated", lambda d: -d
    yield "scaled in one entry", _scale_largest
    if batch is not None and argument.axes[:1] == (batch,):
        yield "scaled in the last row", lambda d: d.at[-1].multiply(1.01)
    yield "left in float32", _left_in_float32


def _averaging_is_a_fault(traits: Traits, arguments: Sequence[Argument]) -> bool:
    """Whether averaging is a fault, and the length of the first cotangent is the batch size."""
    first = arguments[0]
    batch_first = traits.batch is not None and first.axes[:1] == (traits.batch,)
    return batch_first and first.is_real and traits.reduces != "mean"


def _average_cotangent(backward: Function, index: int) -> Function:
    """The backward with one of its cotangents divided by the batch size."""

    def wrong(*arguments: Any) -> tuple[Any, ...]:
        cotangents = backward(*arguments)
        size = len(cotangents[0])
        return tuple(d / size if i == index else d for i, d in enumerate(cotangents))

    return wrong


def _scale_largest(array: Array) -> Array:
    """Scales the largest entry by 1.01; any other might be 0, and so stay correct."""
    largest = jnp.unravel_index(jnp.argmax(jnp.abs(array)), array.shape)
    return array.at[largest].multiply(1.01)


def _left_in_float32(array: Array) -> Array:
    """A half-precision array that was not cast back from float32, the dtype of its sums."""
    return array.astype(jnp.float32) if jnp.finfo(array.dtype).bits < 32 else array


def _ones(cotangents: Any) -> Any:
    return jax.tree.map(jnp.ones_like, cotangents)


def _is_differentiable(residual: Any) -> bool:
    """Whether a residual has floating-point entries; booleans and indices have no derivative."""
    return jnp.issubdtype(residual.dtype, jnp.floating) and residual.size > 0
