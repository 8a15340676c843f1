"""Max pooling."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._faults import Fault, change_cotangent, change_residuals
from ffnn_jax.catalogue._op_spec import Case, OpSpec
from ffnn_jax.layers import max_pool, max_pool_backward, max_pool_forward
from ffnn_jax.verify import Kink

_TWO, _THREE = range(2)


def reference_max_pool(x: Array, window: int = 2) -> Array:
    """Equation (pool.1), as the entry that (pool.2) selects: half precision is full of ties."""
    n, height, width, channels = x.shape
    rows, columns = height // window, width // window
    x = x[:, : rows * window, : columns * window]
    entries = x.reshape(n, rows, window, columns, window, channels).transpose(0, 1, 3, 5, 2, 4)
    entries = entries.reshape(n, rows, columns, channels, window * window)
    argmax = jnp.argmax(entries, axis=-1, keepdims=True)
    return jnp.take_along_axis(entries, argmax, axis=-1)[..., 0]


def _windows(x: Array, window: int) -> Array:
    """The complete windows of x, as (N, H_out, s, W_out, s, C)."""
    n, height, width, channels = x.shape
    rows, columns = height // window, width // window
    covered = x[:, : rows * window, : columns * window]
    return covered.reshape(n, rows, window, columns, window, channels)


def _from_windows(values: Array, x: Array) -> Array:
    """The inverse: (N, H_out, s, W_out, s, C) as images in the shape of x."""
    n, rows, s, columns, _, channels = values.shape
    covered = values.reshape(n, rows * s, columns * s, channels)
    return jnp.zeros_like(x).at[:, : rows * s, : columns * s].set(covered)


def _save_x(x: Array, window: int) -> tuple[Array, tuple[Array, Array]]:
    z, _ = max_pool_forward(x, window)
    return z, (x, z)


def _to_every_maximum(window: int, residuals: Any, dz: Array) -> tuple[Array]:
    x, z = residuals
    is_maximum = _windows(x, window) == z[:, :, None, :, None, :]
    return (_from_windows(is_maximum.astype(dz.dtype) * dz[:, :, None, :, None, :], x),)


def _split_among_maxima(window: int, residuals: Any, dz: Array) -> tuple[Array]:
    x, z = residuals
    is_maximum = (_windows(x, window) == z[:, :, None, :, None, :]).astype(dz.dtype)
    share = is_maximum / jnp.sum(is_maximum, axis=(2, 4), keepdims=True)
    return (_from_windows(share * dz[:, :, None, :, None, :], x),)


def _to_every_entry(window: int, residuals: Any, dz: Array) -> tuple[Array]:
    x, _ = residuals
    shape = _windows(x, window).shape
    return (_from_windows(jnp.broadcast_to(dz[:, :, None, :, None, :], shape), x),)


def _averaged(window: int, residuals: Any, dz: Array) -> tuple[Array]:
    return (_to_every_entry(window, residuals, dz)[0] / window**2,)


def _last_maximum(x: Array, window: int) -> tuple[Array, Any]:
    z, (first, extent) = max_pool_forward(x, window)
    flipped = jnp.flip(_windows(x, window), (2, 4))
    _, (argmax, _) = max_pool_forward(flipped.reshape(z.shape[0], *_covered(z, window)), window)
    return z, (jnp.asarray(window**2 - 1, first.dtype) - argmax, extent)


def _covered(z: Array, window: int) -> tuple[int, int, int]:
    return z.shape[1] * window, z.shape[2] * window, z.shape[3]


def _nan_as_minus_infinity(x: Array, window: int) -> tuple[Array, Any]:
    without_nan = jnp.where(jnp.isnan(x), jnp.full((), -jnp.inf, x.dtype), x)
    return max_pool_forward(without_nan, window)


def _minimum(x: Array, window: int) -> tuple[Array, Any]:
    z, residuals = max_pool_forward(-x, window)
    return -z, residuals


def _column_major(window: int, residuals: Any, dz: Array) -> tuple[Array]:
    argmax = residuals.argmax % window * window + residuals.argmax // window
    return max_pool_backward(window, residuals._replace(argmax=argmax), dz)


def _always_first(residuals: Any) -> Any:
    argmax, extent = residuals
    return jnp.zeros_like(argmax), extent


def _first_channel_argmax(residuals: Any) -> Any:
    argmax, extent = residuals
    return jnp.broadcast_to(argmax[..., :1], argmax.shape), extent


def _outside_filled(dx: Array) -> Array:
    return dx.at[:, :, -1].set(dx[:, :, -2])


def _shifted(dx: Array) -> Array:
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
            "entries 1 and 2 tied, entries 0 and 3 tied, pixels outside",
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
        Fault("last maximum wins", forward=_last_maximum),
        Fault("every maximum receives dz", _to_every_maximum, _save_x),
        Fault("dz split among the maxima", _split_among_maxima, _save_x),
        Fault("NaN treated as minus infinity", forward=_nan_as_minus_infinity),
        Fault("every entry receives dz", _to_every_entry, _save_x, case=_THREE),
        Fault("dz averaged over the window", _averaged, _save_x, case=_THREE),
        Fault("argmax in column-major order", _column_major, case=_THREE),
        Fault("first entry always wins", change_residuals(max_pool_backward, _always_first)),
        Fault(
            "first channel's argmax for all channels",
            change_residuals(max_pool_backward, _first_channel_argmax),
        ),
        Fault(
            "nonzero dx outside every window",
            change_cotangent(max_pool_backward, 0, _outside_filled),
        ),
        Fault("dx shifted by one pixel", change_cotangent(max_pool_backward, 0, _shifted)),
        Fault("minimum instead of maximum", forward=_minimum),
    ),
)
