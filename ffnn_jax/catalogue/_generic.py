"""The faults that any rule can have, made from what the operation says of its arguments.

Each cotangent that the backward returns is off by a factor, negated, off in one entry, off in the
last row of the batch, averaged over the batch, or left in the dtype of its sums. The cotangents
of the outputs are replaced by ones, and the residuals lose their dependence on the arguments. A
fault is left out where it would not be one, by what can be read from arguments and residuals.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._faults import Change, Fault, Function, given, keeping, returning
from ffnn_jax.verify import Argument, Traits, argument_names


def generic_faults(
    traits: Traits, arguments: Sequence[Argument], op: Function, backward: Function, residuals: Any
) -> Iterator[Fault]:
    """The faults of a rule with these arguments.

    Args:
        traits: what is known of the operation.
        arguments: what it takes.
        op: the operation, whose arguments have names.
        backward: the right backward.
        residuals: what the forward keeps; shapes and dtypes are enough.
    """
    names = argument_names(op)
    for place, argument in enumerate(arguments):
        for name, change in _changes(argument, traits.batch) if argument.is_real else ():
            yield Fault(f"d{names[place]} {name}", returning(backward, place, change))
        if argument.is_real and _averages(traits, arguments):
            yield Fault(f"d{names[place]} averaged", _averaging(backward, place))
    yield Fault(f"{argument_names(backward)[-1]} replaced by ones", given(backward, _ones))
    if any(map(_may_be_differentiated, jax.tree.leaves(residuals))):
        yield Fault("residuals detached", keeping(backward, jax.lax.stop_gradient))


def _changes(argument: Argument, batch: str | None) -> Iterator[tuple[str, Change]]:
    """What can be wrong with the cotangent of an argument, by name."""
    yield "by 1.0001", lambda d: 1.0001 * d
    yield "negated", lambda d: -d
    yield "off in one entry", _largest_off
    if batch is not None and argument.axes[:1] == (batch,):
        yield "off in the last row", lambda d: d.at[-1].multiply(1.01)
    yield "left in float32", _left_wide


def _averages(traits: Traits, arguments: Sequence[Argument]) -> bool:
    """Whether to average is a fault, and the batch's size the length of the first cotangent."""
    first = arguments[0]
    leads = traits.batch is not None and first.axes[:1] == (traits.batch,)
    return leads and first.is_real and traits.reduces != "mean"


def _averaging(backward: Function, place: int) -> Function:
    """The backward with one of its cotangents divided by the size of the batch."""

    def wrong(*arguments: Any) -> tuple[Any, ...]:
        cotangents = backward(*arguments)
        size = len(cotangents[0])
        return tuple(d / size if i == place else d for i, d in enumerate(cotangents))

    return wrong


def _largest_off(array: Array) -> Array:
    """The largest entry off by one percent: any other may be 0, and stay right."""
    largest = jnp.unravel_index(jnp.argmax(jnp.abs(array)), array.shape)
    return array.at[largest].multiply(1.01)


def _left_wide(array: Array) -> Array:
    """A narrow array in the dtype of its sums, float32, which was not cast back."""
    return array.astype(jnp.float32) if jnp.finfo(array.dtype).bits < 32 else array


def _ones(cotangents: Any) -> Any:
    return jax.tree.map(jnp.ones_like, cotangents)


def _may_be_differentiated(residual: Any) -> bool:
    """Whether a residual holds real numbers: booleans and places depend on nothing smoothly."""
    return jnp.issubdtype(residual.dtype, jnp.floating) and residual.size > 0
