"""Max pooling: equations (pool.1)-(pool.4).

The image is cut into s by s windows, side by side; rows and columns that fill no window are left
out. Call a window's entries x_0 ... x_{s s - 1} in row-major order: entry s u + v is at row u,
column v of the window.

    z[n,i,j,c] = max_{u,v} x[n, s i + u, s j + v, c]                            (pool.1)

The maximum is one of the entries; call its number the argmax m. A small change of that entry
changes z as much, a small change of any other entry changes nothing:

    m[n,i,j,c] = the first s u + v whose entry is the maximum                   (pool.2)
    dz[n,i,j,c]/dx[n, s i + u, s j + v, c] = 1 if s u + v = m[n,i,j,c], else 0  (pool.3)

Windows do not overlap, so pixel (h, w) lies in window (h div s, w div s) and in no other, and the
chain rule's sum over outputs has one term:

    dx[n,h,w,c] = dz[n, h div s, w div s, c] [s (h mod s) + w mod s = m]        (pool.4)

Where entries are equal (pool.1) has a kink; the first in row-major order wins, as (pool.2) says.
The first NaN of a window is its maximum. Pixels outside every window have cotangent 0.

The residual is m, one byte an output for windows up to 11 by 11, and nothing of x.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Integer

from ffnn_jax.layers._arguments import custom_vjp_with_static, is_integer, require, require_floating

__all__ = ["max_pool", "max_pool_backward", "max_pool_forward"]


class PoolResiduals(NamedTuple):
    """The argmax of each window, and an array without elements that keeps x's height and width."""

    argmax: Integer[Array, "N H_out W_out C"]
    extent: Float[Array, "0 H W"]


def max_pool_forward(
    x: Float[Array, "N H W C"], window: int = 2
) -> tuple[Float[Array, "N H_out W_out C"], PoolResiduals]:
    """Returns z and the residuals: the argmaxes of (pool.2), and the extent of x."""
    _require_shapes(x, window)
    *others, last = _entries(x, window)
    z = _maximum(x, window)  # (pool.1)
    argmax = jnp.full(last.shape, len(others), _counter(window))
    for number in reversed(range(len(others))):
        found = (others[number] == z) | jnp.isnan(others[number])
        argmax = jnp.where(found, jnp.asarray(number, argmax.dtype), argmax)  # (pool.2)
    return z, PoolResiduals(argmax, jnp.empty((0, *x.shape[1:3]), x.dtype))


@custom_vjp_with_static(1)
def max_pool(x: Float[Array, "N H W C"], window: int = 2) -> Float[Array, "N H_out W_out C"]:
    """Maximum over windows that lie side by side (stride = window).

    Args:
        x: images, batch first, channels last.
        window: height and width of a window, in pixels. A height or width that it does not
            divide is rounded down: the last rows or columns are left out.

    Returns:
        z, equation (pool.1), of floor(H / window) by floor(W / window).

    Raises:
        ValueError: x is not a floating-point (N, H, W, C), or the window does not fit in it.
    """
    return max_pool_forward(x, window)[0]


def max_pool_backward(
    window: int, residuals: PoolResiduals, dz: Float[Array, "N H_out W_out C"]
) -> tuple[Float[Array, "N H W C"]]:
    """Returns (dx,), equation (pool.4)."""
    argmax, extent = residuals
    number = jnp.arange(window**2, dtype=argmax.dtype).reshape(1, 1, window, 1, window, 1)
    mine = argmax[:, :, None, :, None, :] == number
    dx = jnp.where(mine, dz[:, :, None, :, None, :], jnp.zeros((), dz.dtype))  # (pool.4)
    return (_uncut(dx, extent.shape[1], extent.shape[2]),)


def _maximum(x: Array, window: int) -> Array:
    """(pool.1) as a reduction, which XLA computes once; comparisons it would repeat for each use.

    Taken from the entries one by one, the step of the report's networks was 1.17 to 1.24 times as
    long.
    """
    n, height, width, channels = x.shape
    rows, columns = height // window, width // window
    whole = x[:, : rows * window, : columns * window]
    return whole.reshape(n, rows, window, columns, window, channels).max((2, 4))


def _entries(x: Array, window: int) -> list[Array]:
    """The window's entries in row-major order, each as an image (N, H_out, W_out, C)."""
    height, width = x.shape[1] // window * window, x.shape[2] // window * window
    return [x[:, u:height:window, v:width:window] for u in range(window) for v in range(window)]


def _counter(window: int) -> jnp.dtype:
    """The smallest dtype that numbers a window's entries."""
    return jnp.dtype(jnp.int8 if window**2 <= 127 else jnp.int32)


def _uncut(dx: Array, height: int, width: int) -> Array:
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
