"""Max pooling."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._faults import Fault, keeping, returning
from ffnn_jax.catalogue._op_spec import Case, OpSpec
from ffnn_jax.layers import max_pool, max_pool_backward, max_pool_forward
from ffnn_jax.verify import Kink

_TWO, _THREE = range(2)


def reference_max_pool(x: Array, window: int = 2) -> Array:
    """Equation (pool.1), as the entry that (pool.2) names: narrow dtypes are full of ties."""
    n, height, width, channels = x.shape
    rows, columns = height // window, width // window
    x = x[:, : rows * window, : columns * window]
    entries = x.reshape(n, rows, window, columns, window, channels).transpose(0, 1, 3, 5, 2, 4)
    entries = entries.reshape(n, rows, columns, channels, window * window)
    argmax = jnp.argmax(entries, axis=-1, keepdims=True)
    return jnp.take_along_axis(entries, argmax, axis=-1)[..., 0]


def _windows(x: Array, window: int) -> Array:
    """The whole windows of x, as (N, H_out, s, W_out, s, C)."""
    n, height, width, channels = x.shape
    rows, columns = height // window, width // window
    whole = x[:, : rows * window, : columns * window]
    return whole.reshape(n, rows, window, columns, window, channels)


def _over_windows(values: Array, x: Array) -> Array:
    """(N, H_out, s, W_out, s, C) as images in the shape of x."""
    n, rows, s, columns, _, channels = values.shape
    whole = values.reshape(n, rows * s, columns * s, channels)
    return jnp.zeros_like(x).at[:, : rows * s, : columns * s].set(whole)


def _keeping_x(x: Array, window: int) -> tuple[Array, tuple[Array, Array]]:
    z, _ = max_pool_forward(x, window)
    return z, (x, z)


def _to_every_maximum(window: int, residuals: Any, dz: Array) -> tuple[Array]:
    x, z = residuals
    mine = _windows(x, window) == z[:, :, None, :, None, :]
    return (_over_windows(mine.astype(dz.dtype) * dz[:, :, None, :, None, :], x),)


def _split_among_maxima(window: int, residuals: Any, dz: Array) -> tuple[Array]:
    x, z = residuals
    mine = (_windows(x, window) == z[:, :, None, :, None, :]).astype(dz.dtype)
    share = mine / jnp.sum(mine, axis=(2, 4), keepdims=True)
    return (_over_windows(share * dz[:, :, None, :, None, :], x),)


def _to_every_entry(window: int, residuals: Any, dz: Array) -> tuple[Array]:
    x, _ = residuals
    shape = _windows(x, window).shape
    return (_over_windows(jnp.broadcast_to(dz[:, :, None, :, None, :], shape), x),)


def _averaged(window: int, residuals: Any, dz: Array) -> tuple[Array]:
    return (_to_every_entry(window, residuals, dz)[0] / window**2,)


def _last_wins(x: Array, window: int) -> tuple[Array, Any]:
    z, (first, extent) = max_pool_forward(x, window)
    turned = jnp.flip(_windows(x, window), (2, 4))
    _, (argmax, _) = max_pool_forward(turned.reshape(z.shape[0], *_whole(z, window)), window)
    return z, (jnp.asarray(window**2 - 1, first.dtype) - argmax, extent)


def _whole(z: Array, window: int) -> tuple[int, int, int]:
    return z.shape[1] * window, z.shape[2] * window, z.shape[3]


def _nan_never_wins(x: Array, window: int) -> tuple[Array, Any]:
    numbers = jnp.where(jnp.isnan(x), jnp.full((), -jnp.inf, x.dtype), x)
    return max_pool_forward(numbers, window)


def _minimum(x: Array, window: int) -> tuple[Array, Any]:
    z, residuals = max_pool_forward(-x, window)
    return -z, residuals


def _column_major(window: int, residuals: Any, dz: Array) -> tuple[Array]:
    argmax = residuals.argmax % window * window + residuals.argmax // window
    return max_pool_backward(window, residuals._replace(argmax=argmax), dz)


def _always_first(residuals: Any) -> Any:
    argmax, extent = residuals
    return jnp.zeros_like(argmax), extent


def _argmax_of_the_first_channel(residuals: Any) -> Any:
    argmax, extent = residuals
    return jnp.broadcast_to(argmax[..., :1], argmax.shape), extent


def _outside_filled(dx: Array) -> Array:
    return dx.at[:, :, -1].set(dx[:, :, -2])


def _moved(dx: Array) -> Array:
    return jnp.roll(dx, 1, axis=2)


_CONSTANT = np.ones((1, 2, 2, 1))
_TIES = np.array([[0.0, 2.0, 5.0, 1.0, 9.0], [2.0, 1.0, 3.0, 5.0, 9.0], [9.0] * 5])
_NANS = np.array([[1.0, np.nan, -np.inf, -np.inf], [np.nan, 2.0, -np.inf, -np.inf]])

MAX_POOL = OpSpec(
    op=max_pool,
    reference=reference_max_pool,
    arguments=("NxHxWxC",),
    cases=(
        Case(
            sizes=(
                {"N": 2, "H": 4, "W": 5, "C": 3},
                {"N": 1, "H": 7, "W": 2, "C": 4},
                {"N": 64, "H": 6, "W": 9, "C": 2},
            ),
            static={"window": 2},
        ),
        Case(
            sizes=({"N": 2, "H": 7, "W": 10, "C": 3}, {"N": 3, "H": 3, "W": 4, "C": 1}),
            static={"window": 3},
        ),
        Case(sizes=({"N": 2, "H": 3, "W": 4, "C": 5},), static={"window": 1}),
    ),
    batch="N",
    empty_batch=True,
    kinks=(
        Kink(
            "a constant window",
            (_CONSTANT,),
            np.full((1, 1, 1, 1), 3.0),
            (np.array([[3.0, 0.0], [0.0, 0.0]]).reshape(1, 2, 2, 1),),
        ),
        Kink(
            "entries 1 and 2 equal, entries 0 and 3 equal, pixels outside",
            (_TIES.reshape(1, 3, 5, 1),),
            np.array([3.0, 7.0]).reshape(1, 1, 2, 1),
            (np.array([[0, 3, 7, 0, 0], [0] * 5, [0] * 5], float).reshape(1, 3, 5, 1),),
        ),
        Kink(
            "two NaN, and all minus infinity",
            (_NANS.reshape(1, 2, 4, 1),),
            np.array([3.0, 7.0]).reshape(1, 1, 2, 1),
            (np.array([[0, 3, 7, 0], [0] * 4], float).reshape(1, 2, 4, 1),),
        ),
    ),
    faults=(
        Fault("the last maximum wins", forward=_last_wins),
        Fault("every maximum receives dz", _to_every_maximum, _keeping_x),
        Fault("dz split among the maxima", _split_among_maxima, _keeping_x),
        Fault("a NaN never wins", forward=_nan_never_wins),
        Fault("every entry receives dz", _to_every_entry, _keeping_x, case=_THREE),
        Fault("dz averaged over the window", _averaged, _keeping_x, case=_THREE),
        Fault("argmax counted down the columns", _column_major, case=_THREE),
        Fault("the first entry always wins", keeping(max_pool_backward, _always_first)),
        Fault(
            "the first channel's argmax for all",
            keeping(max_pool_backward, _argmax_of_the_first_channel),
        ),
        Fault(
            "pixels outside every window filled", returning(max_pool_backward, 0, _outside_filled)
        ),
        Fault("dx moved by one pixel", returning(max_pool_backward, 0, _moved)),
        Fault("minimum in place of maximum", forward=_minimum),
    ),
)
