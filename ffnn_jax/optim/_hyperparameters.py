"""Hyperparameters: numbers, or arrays, which a program may trace, as in ``inject_hyperparams``."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float


def require(value: Any, holds: Callable[[Any], bool], must: str) -> None:
    """Raises ValueError unless ``holds(value)``; a traced value has no number to check yet."""
    if not isinstance(value, Tracer) and not holds(value):
        raise ValueError(f"{must}, got {value}")


def scaled(factor: Any, array: Float[Array, "..."]) -> Float[Array, "..."]:
    """The product in the array's dtype, whatever that of the factor."""
    return jnp.asarray(factor, array.dtype) * array
