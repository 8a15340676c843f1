"""Planted faults, and helpers that turn a correct backward into a wrong one."""

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
    """A wrong rule that the checks must reject.

    Attributes:
        name: a short description of the fault.
        backward: the wrong backward, with the correct one's signature; None for the correct one.
        forward: the wrong forward, for a fault in the value or residuals; None for the correct one.
        case: index of the case whose first sizes the fault is checked with.
        many: whether the fault only shows in long sums, so that the case's last sizes are checked
            too.
    """

    name: str
    backward: Function | None = None
    forward: Function | None = None
    case: int = 0
    many: bool = False


def change_cotangent(backward: Function, index: int, change: Change) -> Function:
    """The backward with one of the cotangents it returns changed."""

    def wrong(*arguments: Any) -> tuple[Any, ...]:
        cotangents = backward(*arguments)
        return tuple(change(d) if i == index else d for i, d in enumerate(cotangents))

    return wrong


def change_dz(backward: Function, change: Callable[[Any], Any]) -> Function:
    """The backward applied to a changed cotangent of the output."""

    def wrong(*arguments: Any) -> tuple[Any, ...]:
        *others, dz = arguments
        return backward(*others, change(dz))

    return wrong


def change_residuals(backward: Function, change: Callable[[Any], Any]) -> Function:
    """The backward applied to changed residuals."""

    def wrong(*arguments: Any) -> tuple[Any, ...]:
        *static, residuals, dz = arguments
        return backward(*static, change(residuals), dz)

    return wrong


def sum_in_own_dtype(terms: Array) -> Array:
    """The sum over the first axis, with every partial sum rounded to the dtype of ``terms``."""
    zero = jnp.zeros(terms.shape[1:], terms.dtype)
    return jax.lax.scan(lambda total, term: (total + term, None), zero, terms)[0]
