"""How a right rule is made wrong, for any operation."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

Function = Callable[..., Any]
Change = Callable[[Array], Array]


def returning(backward: Function, place: int, change: Change) -> Function:
    """The backward with one of its cotangents changed."""

    def wrong(*arguments: Any) -> tuple[Any, ...]:
        cotangents = backward(*arguments)
        return tuple(change(d) if i == place else d for i, d in enumerate(cotangents))

    return wrong


def scaled(backward: Function, place: int, factor: float = 1.0001) -> Function:
    """The backward with one of its cotangents off by a factor."""
    return returning(backward, place, lambda d: factor * d)


def given(backward: Function, change: Change) -> Function:
    """The backward of a changed cotangent of the output."""

    def wrong(*arguments: Any) -> tuple[Any, ...]:
        *before, dz = arguments
        return backward(*before, change(dz))

    return wrong


def keeping(backward: Function, change: Callable[[Any], Any]) -> Function:
    """The backward of changed residuals."""

    def wrong(*arguments: Any) -> tuple[Any, ...]:
        *settings, residuals, dz = arguments
        return backward(*settings, change(residuals), dz)

    return wrong


def detached(backward: Function) -> Function:
    """The backward whose residuals have lost their dependence on the arguments."""
    return keeping(backward, jax.lax.stop_gradient)


def left_wide(array: Array) -> Array:
    """A narrow array in the accumulator's float32, which was not cast back."""
    return array.astype(jnp.float32) if jnp.finfo(array.dtype).bits < 32 else array


def last_row_off(array: Array) -> Array:
    """The last row of a batch off by one percent."""
    return array.at[-1].multiply(1.01)


def one_entry_off(array: Array) -> Array:
    """The first entry off by one percent."""
    return array.at[(0,) * array.ndim].multiply(1.01)


def added_narrowly(rows: Array) -> Array:
    """The sum over the first axis, each partial sum rounded to the dtype of ``rows``."""
    zero = jnp.zeros(rows.shape[1:], rows.dtype)
    return jax.lax.scan(lambda total, row: (total + row, None), zero, rows)[0]
