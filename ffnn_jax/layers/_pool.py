"""Max pooling: equations (pool.1)-(pool.6).

A window of r by r pixels slides over the image in steps of s, the stride. Window (i, j) begins at
pixel (s i - p, s j - q), where p rows and q columns of padding precede the image. Entry r u + v of
a window is at its row u, column v, with u and v from 0 to r - 1. Entries outside the image take no
part:

    z[n,i,j,c] = max over (u, v) inside the image of
                     x[n, s i + u - p, s j + v - q, c]                          (pool.1)

The maximum is one of the entries; call its number the argmax m:

    m[n,i,j,c] = the first r u + v inside the image whose entry is the maximum  (pool.2)

A small change in that entry changes z by the same amount; a small change in any other entry changes
nothing:

    dz[n,i,j,c]/dx[n, s i + u - p, s j + v - q, c]
        = 1 if r u + v = m[n,i,j,c], else 0                                     (pool.3)

The chain rule sums over all windows, of which those count that contain the pixel as their argmax:

    dx[n,h,w,c] = sum_{i,j: window (i,j) contains pixel (h,w)}
                      dz[n,i,j,c] [r (h + p - s i) + w + q - s j = m[n,i,j,c]]  (pool.4)

The non-obvious step is to name these windows. Let row h lie in block a of s rows, at row b of the
block, and column w likewise:

    h + p = s a + b,   w + q = s e + f,   0 <= b, f < s                         (pool.5)

Window i begins where block i begins, so it contains row h if i = a - g with g >= 0 and
s g + b < r: that is at most r / s windows, rounded up, and as many along the columns. So

    dx[n,h,w,c] = sum_{g,k} dz[n, a - g, e - k, c]
                      [r (s g + b) + s k + f = m[n, a - g, e - k, c]]           (pool.6)

where s g + b and s k + f are below r and the window exists. A pixel that is the maximum of several
windows gets the sum of their dz. If s = r, then g = k = 0, and each pixel is in one window at most.

Padding never wins, against minus infinity as little as against NaN. To compute this without a
number that stands for "nothing", an entry outside the image is replaced with its nearest pixel,
number included. That pixel is in the window, too (``_windows.py``): z and m do not change.

Where entries are tied, (pool.1) has a kink; by (pool.2) the first in row-major order wins. The
first NaN of a window is its maximum. Pixels outside every window have cotangent 0. Sums over
windows that overlap are accumulated in at least float32.

The residual is m, one byte per output for windows up to 11 by 11; x is not kept. Autodiff of a
reduction over windows keeps x, and finds every maximum again in the backward pass.
"""

import functools
import operator
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Integer

from ffnn_jax.layers._arguments import custom_vjp_with_static, upcast
from ffnn_jax.layers._geometry import Padding
from ffnn_jax.layers._windows import (
    PoolWindows,
    entries,
    from_blocks,
    require_pool_windows,
    windows_of,
    windows_of_pixels,
)

__all__ = ["max_pool", "max_pool_backward", "max_pool_forward"]


class PoolResiduals(NamedTuple):
    """The argmax of each window, and an empty array that records x's height and width."""

    argmax: Integer[Array, "N H_out W_out C"]
    extent: Float[Array, "0 H W"]


def max_pool_forward(
    x: Float[Array, "N H W C"],
    window: int = 2,
    stride: int | None = None,
    padding: Padding = "VALID",
) -> tuple[Float[Array, "N H_out W_out C"], PoolResiduals]:
    """Returns z and the residuals: the argmaxes of (pool.2), and the extent of x."""
    require_pool_windows("max_pool", x, window, stride, padding)
    windows = windows_of(x.shape, window, stride, padding)
    (z, argmax), *others = entries(x, windows)
    for entry, number in others:
        larger = ~(entry <= z) & ~jnp.isnan(z)
        z = jnp.where(larger, entry, z)  # (pool.1)
        argmax = jnp.where(larger, number, argmax)  # (pool.2)
    argmax, extent = jnp.broadcast_to(argmax, z.shape), jnp.empty((0, *x.shape[1:3]), x.dtype)
    if windows.stride == window and padding == "VALID":
        z = _maximum_of_adjacent(x, windows)
    return z.astype(x.dtype), PoolResiduals(argmax, extent)


@custom_vjp_with_static(1, 2, 3)
def max_pool(
    x: Float[Array, "N H W C"],
    window: int = 2,
    stride: int | None = None,
    padding: Padding = "VALID",
) -> Float[Array, "N H_out W_out C"]:
    """Maximum over windows.

    Args:
        x: images, batch first, channels last.
        window: height and width of a window, in pixels.
        stride: rows and columns from one window to the next; by default the window's size.
        padding: "VALID" (none: rows and columns that do not fill a window are dropped), "SAME"
            (XLA's rule), or the rows and columns added on each side, fewer than the window's, so
            that every window contains a pixel. No padding is ever the maximum.

    Returns:
        z, equation (pool.1).

    Raises:
        ValueError: x is not a floating-point array (N, H, W, C), a setting is out of range, or the
            window does not fit in the padded image.
    """
    return max_pool_forward(x, window, stride, padding)[0]


def max_pool_backward(
    window: int,
    stride: int | None,
    padding: Padding,
    residuals: PoolResiduals,
    dz: Float[Array, "N H_out W_out C"],
) -> tuple[Float[Array, "N H W C"]]:
    """Returns (dx,), equation (pool.6)."""
    argmax, extent = residuals
    windows = windows_of(extent.shape, window, stride, padding)
    terms = [
        jnp.where(m == number, dz_there, jnp.zeros((), dz_there.dtype))
        for number, (m, dz_there) in windows_of_pixels(windows, argmax, upcast(dz))
    ]
    dx = functools.reduce(operator.add, terms)  # (pool.6)
    return (from_blocks(dx.astype(dz.dtype), windows),)


def _maximum_of_adjacent(x: Array, windows: PoolWindows) -> Array:
    """(pool.1) as a reduction, which XLA computes once; comparisons are repeated per use.

    With comparisons alone, a step of the report's networks took up to 1.19 times as long. Where
    windows overlap, it is a reduction over windows that takes longer.
    """
    size, (rows, columns) = windows.size, windows.counts
    n, _, _, channels = x.shape
    covered = x[:, : rows * size, : columns * size]
    return covered.reshape(n, rows, size, columns, size, channels).max((2, 4))


max_pool.defvjp(max_pool_forward, max_pool_backward)
