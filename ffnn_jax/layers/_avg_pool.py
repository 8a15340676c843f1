"""Average pooling: equations (avg.1)-(avg.4).

The windows are those of max pooling: r by r pixels, s pixels apart, after p rows and q columns of
padding. Entries outside the image count as 0:

    z[n,i,j,c] = 1 / count[i,j] sum over (u, v) inside the image of
                     x[n, s i + u - p, s j + v - q, c]                          (avg.1)

with one of two counts, the entries of a window or its pixels, which differ at a border only:

    count[i,j] = r^2, or the number of (u, v) inside the image                  (avg.2)

As z is linear in x, an entry enters its window's output with the same factor as all others:

    dz[n,i,j,c]/dx[n, s i + u - p, s j + v - q, c] = 1 / count[i,j]             (avg.3)

The chain rule sums over the windows in which a pixel lies, which (pool.5) names: with
h + p = s a + b and w + q = s e + f,

    dx[n,h,w,c] = sum_{g,k} dz[n, a - g, e - k, c] / count[a - g, e - k]        (avg.4)

over g and k from 0 with s g + b and s k + f below r for which the window exists. The non-obvious
step is that dz is divided before it is summed: the windows of one pixel may have different counts.

There is no kink. A NaN or an infinity affects the windows it is in and no others. Sums are
accumulated in at least float32. The only residual is x's extent, which z does not determine.
"""

import functools
import operator

import jax.numpy as jnp
from jaxtyping import Array, Float

from ffnn_jax.layers._arguments import custom_vjp_with_static, require, upcast
from ffnn_jax.layers._geometry import Padding
from ffnn_jax.layers._windows import (
    PoolWindows,
    entries,
    from_blocks,
    require_pool_windows,
    windows_of,
    windows_of_pixels,
)

__all__ = ["avg_pool", "avg_pool_backward", "avg_pool_forward"]


def avg_pool_forward(
    x: Float[Array, "N H W C"],
    window: int = 2,
    stride: int | None = None,
    padding: Padding = "VALID",
    count_padding: bool = True,
) -> tuple[Float[Array, "N H_out W_out C"], Float[Array, "0 H W"]]:
    """Returns z and the residual: an empty array that records x's height and width."""
    require_pool_windows("avg_pool", x, window, stride, padding)
    valid = isinstance(count_padding, bool)
    require(valid, "avg_pool", "count_padding", "True or False", repr(count_padding))
    windows = windows_of(x.shape, window, stride, padding)
    inside = [
        jnp.where(number == own, entry, jnp.zeros((), entry.dtype))
        for own, (entry, number) in enumerate(entries(x, windows))
    ]
    total = functools.reduce(operator.add, inside)
    z = total / _count(windows, count_padding, total.dtype)  # (avg.1)
    return z.astype(x.dtype), jnp.empty((0, *x.shape[1:3]), x.dtype)


@custom_vjp_with_static(1, 2, 3, 4)
def avg_pool(
    x: Float[Array, "N H W C"],
    window: int = 2,
    stride: int | None = None,
    padding: Padding = "VALID",
    count_padding: bool = True,
) -> Float[Array, "N H_out W_out C"]:
    """Average over windows.

    Args:
        x: images, batch first, channels last.
        window: height and width of a window, in pixels.
        stride: rows and columns from one window to the next; by default the window's size.
        padding: "VALID" (none: rows and columns that do not fill a window are dropped), "SAME"
            (XLA's rule), or the rows and columns of zeros added on each side, fewer than the
            window's, so that every window contains a pixel.
        count_padding: whether to divide by the window's area, zeros included, or else by the
            number of its pixels.

    Returns:
        z, equation (avg.1).

    Raises:
        ValueError: x is not a floating-point array (N, H, W, C), a setting is out of range, or the
            window does not fit in the padded image.
    """
    return avg_pool_forward(x, window, stride, padding, count_padding)[0]


def avg_pool_backward(
    window: int,
    stride: int | None,
    padding: Padding,
    count_padding: bool,
    extent: Float[Array, "0 H W"],
    dz: Float[Array, "N H_out W_out C"],
) -> tuple[Float[Array, "N H W C"]]:
    """Returns (dx,), equation (avg.4)."""
    windows, wide = windows_of(extent.shape, window, stride, padding), upcast(dz)
    share = wide / _count(windows, count_padding, wide.dtype)  # (avg.3)
    terms = [
        jnp.where(number >= 0, share_there, jnp.zeros((), wide.dtype))
        for number, (share_there,) in windows_of_pixels(windows, share)
    ]
    dx = functools.reduce(operator.add, terms)  # (avg.4)
    return (from_blocks(dx.astype(dz.dtype), windows),)


def _count(windows: PoolWindows, count_padding: bool, dtype: jnp.dtype) -> Array:
    """(avg.2) for every window, a product: rows and columns are inside independently."""
    if count_padding:
        return jnp.full((), windows.size**2, dtype)
    rows, columns = (
        [min(at + windows.size, length) - max(at, 0) for at in windows.starts(axis)]
        for axis, length in enumerate(windows.extent)
    )
    return jnp.array([[a * b for b in columns] for a in rows], dtype)[None, :, :, None]


avg_pool.defvjp(avg_pool_forward, avg_pool_backward)
