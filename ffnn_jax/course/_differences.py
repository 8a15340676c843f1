"""Central differences in the place of a backward that is not written yet.

Entry j of dx is the derivative of <f(x), dz> along e_j, which changes entry j of x alone:

    dx_j = <f(x + h e_j) - f(x - h e_j), dz> / 2h,   but for an error of the order of h^2

That is two forward passes for each entry of x. Where row n of the output depends on row n of x
alone, one entry of every row is moved at once, and the quotient is read row by row.
"""

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from ffnn_jax.layers._arguments import upcast

_NUMBERS_AT_ONCE = 1 << 18  # what fits a core's cache


def fall_back_on_differences(operation: Any, rows: Sequence[int] = ()) -> None:
    """Wires a custom_vjp again: differences stand in where its backward is not written.

    Args:
        operation: the operation, whose backward may raise NotImplementedError.
        rows: for each array argument the number of axes with which, or with more, row n of the
            output depends on its row n and on no other; 0 or () if it never does.
    """
    forward, backward, static = operation.fwd, operation.bwd, operation.nondiff_argnums

    def fwd(*args: Any) -> Any:
        z, residuals = forward(*args)
        return z, (residuals, [arg for i, arg in enumerate(args) if i not in static])

    def bwd(*arguments: Any) -> Any:
        *settings, (residuals, arrays), dz = arguments

        def value(*moved: Array) -> Any:
            args = list(moved)
            for position, setting in zip(static, settings, strict=True):
                args.insert(position, setting)
            return forward(*args)[0]

        try:
            return backward(*settings, residuals, dz)
        except NotImplementedError:
            _say_once(operation.__name__)
            return difference_quotients(value, arrays, dz, rows)

    operation.defvjp(fwd, bwd)


def difference_quotients(
    function: Callable[..., Any], arrays: Sequence[Any], dz: Any, rows: Sequence[int] = ()
) -> tuple[Any, ...]:
    """The cotangents of a function's arguments, None for integers.

    Each is a computation of its own: XLA leaves out those that nothing uses.
    """
    arrays = [jnp.asarray(a) for a in arrays]
    wide = [upcast(a) if _is_real(a) else a for a in arrays]
    by_row = [0 < least <= a.ndim for least, a in zip(rows or [0] * len(wide), wide, strict=True)]
    return tuple(
        _quotients(function, wide, i, dz, by_row[i]).astype(a.dtype) if _is_real(a) else None
        for i, a in enumerate(arrays)
    )


def _quotients(
    function: Callable[..., Any], arrays: Sequence[Array], index: int, dz: Any, by_row: bool
) -> Array:
    x = arrays[index]
    if not x.size:
        return x
    rows = x.reshape(len(x) if by_row else 1, -1)
    # The error is h^2 from curvature and eps / h from rounding: least at h = eps^(1/3).
    step = float(jnp.finfo(x.dtype).eps) ** (1 / 3) * jnp.maximum(jnp.abs(rows), 1)
    ends = rows + step, rows - step

    def value(end: Array, entry: Array) -> Any:
        moved = jnp.where(jnp.arange(rows.shape[1])[None, :] == entry, end, rows)
        return function(*arrays[:index], moved.reshape(x.shape), *arrays[index + 1 :])

    def quotient(entry: Array) -> Array:
        after, before = (value(end, entry) for end in ends)
        products = jax.tree.map(lambda a, b, d: (a - b) * d.astype(a.dtype), after, before, dz)
        change = sum(p.reshape(len(rows), -1).sum(axis=1) for p in jax.tree.leaves(products))
        return change / (ends[0] - ends[1])[:, entry]

    numbers = sum(a.size for a in jax.tree.leaves((arrays, dz)))
    at_once = max(1, _NUMBERS_AT_ONCE // numbers)
    found = jax.lax.map(quotient, jnp.arange(rows.shape[1]), batch_size=at_once)
    return found.T.reshape(x.shape)


def _is_real(array: Array) -> bool:
    return jnp.issubdtype(array.dtype, jnp.floating)


@functools.cache
def _say_once(name: str) -> None:
    instead = "its backward is not written yet; central differences are used instead (slow)"
    print(f"{name}: {instead}", file=sys.stderr)
