"""What every chapter asks of its arguments, and the dtype in which it adds up."""

import functools
from collections.abc import Callable
from numbers import Integral, Real
from typing import TypeGuard, TypeVar

import jax
import jax.numpy as jnp
from jax import Array

Result = TypeVar("Result")


def custom_vjp_with_static(
    *argnums: int,
) -> Callable[[Callable[..., Result]], jax.custom_vjp[Result]]:
    """``jax.custom_vjp`` whose arguments at these places are static: Python values, no arrays."""
    return functools.partial(jax.custom_vjp, nondiff_argnums=argnums)  # type: ignore[return-value]


def is_whole(value: object, least: int) -> bool:
    """Whether value is a whole number of at least ``least``; True and False are none."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def is_number(value: object) -> TypeGuard[float]:
    """Whether value is a Python or numpy real number; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def require(holds: bool, function: str, argument: str, expected: str, got: object) -> None:
    """Raises ValueError, naming function and argument, unless ``holds``."""
    if not holds:
        raise ValueError(f"{function}: {argument} must be {expected}, got {got}")


def require_floating(function: str, **arrays: Array) -> None:
    """Raises ValueError unless all arrays share one floating-point dtype."""
    (first, head), *rest = arrays.items()
    floating = jnp.issubdtype(head.dtype, jnp.floating)
    require(floating, function, first, "of a floating-point dtype", head.dtype)
    for name, array in rest:
        same = array.dtype == head.dtype
        require(same, function, name, f"of {first}'s dtype {head.dtype}", array.dtype)


def accumulator(array: Array) -> jnp.dtype:
    """The dtype for sums over ``array``: its own, float32 at the least."""
    return array.dtype if jnp.finfo(array.dtype).bits >= 32 else jnp.dtype(jnp.float32)


def widened(array: Array) -> Array:
    """The array in the accumulator's dtype."""
    return array.astype(accumulator(array))


def product(a: Array, b: Array) -> Array:
    """The matrix product a b, summed and returned in the accumulator's dtype."""
    return jnp.matmul(a, b, preferred_element_type=accumulator(a))
