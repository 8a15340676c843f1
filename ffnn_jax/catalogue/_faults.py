"""A planted fault, and how a right backward is made wrong."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

Function = Callable[..., Any]
Change = Callable[[Array], Array]


@dataclasses.dataclass(frozen=True)
class Fault:
    """A wrong rule that a checker has to reject.

    Attributes:
        name: says what is wrong, in a few words.
        backward: the wrong backward, with the arguments of the right one.
        forward: a wrong forward, where the fault is in the residuals; else the right one.
        case: place of the case at whose first sizes the fault is tried.
        many: whether it takes many terms to see it, so that it is tried at the case's last sizes
            too.
    """

    name: str
    backward: Function | None = None
    forward: Function | None = None
    case: int = 0
    many: bool = False


def returning(backward: Function, place: int, change: Change) -> Function:
    """The backward with one of its cotangents changed."""

    def wrong(*arguments: Any) -> tuple[Any, ...]:
        cotangents = backward(*arguments)
        return tuple(change(d) if i == place else d for i, d in enumerate(cotangents))

    return wrong


def given(backward: Function, change: Callable[[Any], Any]) -> Function:
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


def added_narrowly(rows: Array) -> Array:
    """The sum over the first axis, each partial sum rounded to the dtype of ``rows``."""
    zero = jnp.zeros(rows.shape[1:], rows.dtype)
    return jax.lax.scan(lambda total, row: (total + row, None), zero, rows)[0]
