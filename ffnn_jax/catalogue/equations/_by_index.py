"""Equations written index by index, with sums over indices as Python's."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array


def by_index(shape: tuple[int, ...], entry: Callable[..., Any]) -> Array:
    """The array of this shape whose entries are given as a function of the indices."""
    entries = [jnp.asarray(entry(*index), float).reshape(1) for index in np.ndindex(*shape)]
    return jnp.concatenate(entries).reshape(shape)


def literal(side: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays, from one that reads them entry by entry."""
    return lambda *arrays: side(*map(entries_of, arrays))


def entries_of(array: Array) -> np.ndarray:
    """The entries as scalars, to be indexed and padded without a primitive for each index."""
    scalars = (one.reshape(()) for one in jnp.split(array.ravel(), array.size))
    return np.fromiter(scalars, object, array.size).reshape(array.shape)
