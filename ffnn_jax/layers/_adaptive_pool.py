"""Global and adaptive average pooling: equations (adaptive.1)-(adaptive.7).

Global pooling averages each channel over the whole image, whatever its size:

    z[n,c] = 1 / (H W) sum_{h,w} x[n,h,w,c]                                     (adaptive.1)

Every pixel enters one output, with the same factor:

    dx[n,h,w,c] = dz[n,c] / (H W)                                               (adaptive.2)

Adaptive pooling fixes the size of the output instead, A by B, and averages over bins. Bin i of the
rows begins where i / A of the height lies, rounded down, and ends where (i + 1) / A lies, rounded
up; the bins of the columns are defined likewise:

    rows of bin i: floor(i H / A) <= h < ceil((i + 1) H / A)                    (adaptive.3)
    z[n,i,j,c] = 1 / (R_i S_j) sum_{h in bin i, w in bin j} x[n,h,w,c]          (adaptive.4)

with R_i rows in bin i and S_j columns in bin j. If A does not divide H, neighbouring bins overlap.

As z is linear in x,

    dx[n,h,w,c] = sum_{i,j: h in bin i, w in bin j} dz[n,i,j,c] / (R_i S_j)     (adaptive.5)

The non-obvious step is to name the bins that contain row h. Since h is an integer, the rounding in
(adaptive.3) may be dropped or moved: floor(i H / A) <= h holds if i H / A < h + 1, and
h < ceil((i + 1) H / A) if h < (i + 1) H / A. Solved for i, these are

    h A / H - 1 < i < (h + 1) A / H                                             (adaptive.6)

and the integers in between are

    bins of row h: floor(h A / H) <= i < ceil((h + 1) A / H)                    (adaptive.7)

By (adaptive.7), which is (adaptive.3) with rows and bins exchanged, one function computes both
passes: sums over the bins of a given number, of pixels to A by B forward, of shares of dz to H by W
backward.

Adaptive pooling to 1 by 1 is global pooling, and to a divisor of H and of W average pooling. There
is no kink. A NaN or an infinity affects the bins it is in and no others. Sums are accumulated in at
least float32. The only residual is x's extent.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ffnn_jax.layers._arguments import (
    custom_vjp_with_static,
    is_integer,
    require,
    require_floating,
    upcast,
)

__all__ = [
    "adaptive_avg_pool",
    "adaptive_avg_pool_backward",
    "adaptive_avg_pool_forward",
    "global_avg_pool",
    "global_avg_pool_backward",
    "global_avg_pool_forward",
]


def global_avg_pool_forward(
    x: Float[Array, "N H W C"],
) -> tuple[Float[Array, "N C"], Float[Array, "0 H W"]]:
    """Returns z and the residual: an empty array that records x's height and width."""
    _require_images("global_avg_pool", x)
    z = jnp.sum(upcast(x), axis=(1, 2)) / (x.shape[1] * x.shape[2])  # (adaptive.1)
    return z.astype(x.dtype), jnp.empty((0, *x.shape[1:3]), x.dtype)


@jax.custom_vjp
def global_avg_pool(x: Float[Array, "N H W C"]) -> Float[Array, "N C"]:
    """Average of each channel over all pixels.

    Args:
        x: images, batch first, channels last, of at least one pixel.

    Returns:
        z, equation (adaptive.1).

    Raises:
        ValueError: x is not a floating-point array (N, H, W, C), or has no pixel.
    """
    return global_avg_pool_forward(x)[0]


def global_avg_pool_backward(
    extent: Float[Array, "0 H W"], dz: Float[Array, "N C"]
) -> tuple[Float[Array, "N H W C"]]:
    """Returns (dx,), equation (adaptive.2)."""
    _, height, width = extent.shape
    share = (upcast(dz) / (height * width)).astype(dz.dtype)  # (adaptive.2)
    n, channels = dz.shape
    return (jnp.broadcast_to(share[:, None, None, :], (n, height, width, channels)),)


global_avg_pool.defvjp(global_avg_pool_forward, global_avg_pool_backward)


def adaptive_avg_pool_forward(
    x: Float[Array, "N H W C"], size: int | tuple[int, int]
) -> tuple[Float[Array, "N A B C"], Float[Array, "0 H W"]]:
    """Returns z and the residual: an empty array that records x's height and width."""
    _require_images("adaptive_avg_pool", x)
    both = size if isinstance(size, tuple) else (size, size)
    valid = len(both) == 2 and all(is_integer(each, 1) for each in both)
    allowed = "an integer of at least 1, or a pair of them"
    require(valid, "adaptive_avg_pool", "size", allowed, repr(size))
    total = _sums_over_bins(upcast(x), both)
    z = total / _count(x.shape[1:3], both, total.dtype)  # (adaptive.4)
    return z.astype(x.dtype), jnp.empty((0, *x.shape[1:3]), x.dtype)


@custom_vjp_with_static(1)
def adaptive_avg_pool(
    x: Float[Array, "N H W C"], size: int | tuple[int, int]
) -> Float[Array, "N A B C"]:
    """Average over bins, as many as the output has pixels: of any image to one size.

    Args:
        x: images, batch first, channels last, of at least one pixel.
        size: rows and columns of the output; one number for both. It may exceed x's.

    Returns:
        z, equation (adaptive.4).

    Raises:
        ValueError: x is not a floating-point array (N, H, W, C), has no pixel, or the size is not
            one or two integers of at least 1.
    """
    return adaptive_avg_pool_forward(x, size)[0]


def adaptive_avg_pool_backward(
    size: int | tuple[int, int], extent: Float[Array, "0 H W"], dz: Float[Array, "N A B C"]
) -> tuple[Float[Array, "N H W C"]]:
    """Returns (dx,), equation (adaptive.5)."""
    share = upcast(dz) / _count(extent.shape[1:], dz.shape[1:3], upcast(dz).dtype)
    dx = _sums_over_bins(share, extent.shape[1:])  # (adaptive.5), (adaptive.7)
    return (dx.astype(dz.dtype),)


def _bins(length: int, count: int) -> list[range]:
    """The rows of each bin, (adaptive.3)."""
    return [range(i * length // count, -(-(i + 1) * length // count)) for i in range(count)]


def _count(extent: tuple[int, ...], size: tuple[int, ...], dtype: jnp.dtype) -> Array:
    """R_i S_j for every bin."""
    rows, columns = map(_bins, extent, size)
    return jnp.array([[len(a) * len(b) for b in columns] for a in rows], dtype)[None, :, :, None]


def _sums_over_bins(images: Array, size: tuple[int, ...]) -> Array:
    """The sums over the rows and columns of each bin, as images of this size."""
    for axis in (1, 2):
        bins = _bins(images.shape[axis], size[axis - 1])
        longest = max(map(len, bins))
        rows = jnp.array([[min(one[0] + k, one[-1]) for k in range(longest)] for one in bins])
        inside = jnp.array([[k < len(one) for k in range(longest)] for one in bins])
        inside = inside.reshape(*inside.shape, *(3 - axis) * (1,))
        taken = jnp.take(images, rows, axis=axis)
        images = jnp.sum(jnp.where(inside, taken, jnp.zeros((), images.dtype)), axis=axis + 1)
    return images


def _require_images(function: str, x: Array) -> None:
    require_floating(function, x=x)
    images = x.ndim == 4 and min(x.shape[1:3]) > 0
    require(images, function, "x", "of shape (N, H, W, C) with at least one pixel", x.shape)


adaptive_avg_pool.defvjp(adaptive_avg_pool_forward, adaptive_avg_pool_backward)
