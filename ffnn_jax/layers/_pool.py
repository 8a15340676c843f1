"""Max pooling: equations (pool.1)-(pool.4).

The image is split into adjacent s by s windows; rows and columns that do not fill a window are
dropped. Call a window's entries x_0 ... x_{s s - 1} in row-major order: entry s u + v is at row u,
column v of the window.

    z[n,i,j,c] = max_{u,v} x[n, s i + u, s j + v, c]                            (pool.1)

The maximum is one of the entries; call its index the argmax m. A small change in that entry
changes z by the same amount; a small change in any other entry changes nothing:

    m[n,i,j,c] = the first s u + v whose entry is the maximum                   (pool.2)
    dz[n,i,j,c]/dx[n, s i + u, s j + v, c] = 1 if s u + v = m[n,i,j,c], else 0  (pool.3)

Windows do not overlap, so pixel (h, w) lies in window (h div s, w div s) and in no other, and the
chain rule's sum over outputs has one term:

    dx[n,h,w,c] = dz[n, h div s, w div s, c] [s (h mod s) + w mod s = m]        (pool.4)

Where entries are tied, (pool.1) has a kink; by (pool.2) the first in row-major order wins. The
first NaN of a window is its maximum. Pixels outside every window have cotangent 0.

The residual is m, one byte per output for windows up to 11 by 11; x is not kept.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Integer

from ffnn_jax.layers._arguments import custom_vjp_with_static, is_integer, require, require_floating

__all__ = ["max_pool", "max_pool_backward", "max_pool_forward"]


class PoolResiduals(NamedTuple):
    """The argmax of each window, and an empty array that records x's height and width."""

    argmax: Integer[Array, "N H_out W_out C"]
    extent: Float[Array, "0 H W"]


def max_pool_forward(
    x: Float[Array, "N H W C"], window: int = 2
) -> tuple[Float[Array, "N H_out W_out C"], PoolResiduals]:
    """Returns z and the residuals: the argmaxes of (pool.2), and the extent of x."""
    _require_shapes(x, window)
    *others, last = _entries(x, window)
    z = _maximum(x, window)  # (pool.1)
    argmax = jnp.full(last.shape, len(others), _index_dtype(window))
    for index in reversed(range(len(others))):
        is_max = (others[index] == z) | jnp.isnan(others[index])
        argmax = jnp.where(is_max, jnp.asarray(index, argmax.dtype), argmax)  # (pool.2)
    return z, PoolResiduals(argmax, jnp.empty((0, *x.shape[1:3]), x.dtype))


@custom_vjp_with_static(1)
def max_pool(x: Float[Array, "N H W C"], window: int = 2) -> Float[Array, "N H_out W_out C"]:
    """Maximum over adjacent, non-overlapping windows (stride = window).

    Args:
        x: images, batch first, channels last.
        window: height and width of a window, in pixels. If it does not divide the image's height
            or width, the last rows or columns are dropped.

    Returns:
        z, equation (pool.1), of size floor(H / window) by floor(W / window).

    Raises:
        ValueError: x is not a floating-point array (N, H, W, C), or the window does not fit in it.
    """
    return max_pool_forward(x, window)[0]


def max_pool_backward(
    window: int, residuals: PoolResiduals, dz: Float[Array, "N H_out W_out C"]
) -> tuple[Float[Array, "N H W C"]]:
    """Returns (dx,), equation (pool.4)."""
    argmax, extent = residuals
    index = jnp.arange(window**2, dtype=argmax.dtype).reshape(1, 1, window, 1, window, 1)
    is_argmax = argmax[:, :, None, :, None, :] == index
    dx = jnp.where(is_argmax, dz[:, :, None, :, None, :], jnp.zeros((), dz.dtype))  # (pool.4)
    return (_uncropped(dx, extent.shape[1], extent.shape[2]),)


def _maximum(x: Array, window: int) -> Array:
    """(pool.1) as a reduction, which XLA computes once; comparisons would be repeated per use.

    With comparisons of the entries, a step of the report's networks took 1.17 to 1.24 times as
    long.
    """
    n, height, width, channels = x.shape
    rows, columns = height // window, width // window
    cropped = x[:, : rows * window, : columns * window]
    return cropped.reshape(n, rows, window, columns, window, channels).max((2, 4))


def _entries(x: Array, window: int) -> list[Array]:
    """The window's entries in row-major order, each as an image (N, H_out, W_out, C)."""
    height, width = x.shape[1] // window * window, x.shape[2] // window * window
    return [x[:, u:height:window, v:width:window] for u in range(window) for v in range(window)]


def _index_dtype(window: int) -> jnp.dtype:
    """The dtype of an index into a window: int8 if that suffices."""
    return jnp.dtype(jnp.int8 if window**2 <= 127 else jnp.int32)


def _uncropped(dx: Array, height: int, width: int) -> Array:
    """(N, H_out, s, W_out, s, C) as images of x's height and width, zero outside the windows."""
    n, rows, s, columns, _, channels = dx.shape
    images = dx.reshape(n, rows * s, columns * s, channels)
    outside = ((0, 0), (0, height - rows * s), (0, width - columns * s), (0, 0))
    return jnp.pad(images, outside)


def _require_shapes(x: Array, window: int) -> None:
    name = "max_pool"
    require_floating(name, x=x)
    require(x.ndim == 4, name, "x", "of shape (N, H, W, C)", x.shape)
    require(is_integer(window, 1), name, "window", "an integer of at least 1", repr(window))
    fits = window <= min(x.shape[1:3])
    require(fits, name, "window", f"no larger than the image {x.shape[1:3]}", window)


max_pool.defvjp(max_pool_forward, max_pool_backward)
