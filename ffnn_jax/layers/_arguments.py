"""What every chapter asks of its arguments, and the dtype in which it adds up."""

import jax.numpy as jnp
from jax import Array


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
    return jnp.promote_types(array.dtype, jnp.float32)


def product(a: Array, b: Array) -> Array:
    """The matrix product a b, summed and returned in the accumulator's dtype."""
    return jnp.matmul(a, b, preferred_element_type=accumulator(a))
