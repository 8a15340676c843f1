"""Image patches for im2col, and back: P of (conv.2), its adjoint, and the kernel of (conv.7)."""

import functools
import operator
from collections.abc import Iterable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ffnn_jax.layers._geometry import Pads

_NO_PAD = (0, 0, 0)


def padded(
    images: Float[Array, "N H W C"], pads: Pads, stride: int = 1
) -> Float[Array, "N H2 W2 C"]:
    """Zero-padded images, with stride - 1 zeros between neighbours."""
    rows, columns = ((*axis_pads, stride - 1) for axis_pads in pads)
    return jax.lax.pad(images, jnp.zeros((), images.dtype), [_NO_PAD, rows, columns, _NO_PAD])


def patches(
    x: Float[Array, "N H W C"], size: tuple[int, ...], steps: tuple[int, int], dilation: int = 1
) -> Float[Array, "N H_out W_out KHKWC"]:
    """P of (conv.2), one row per window: concatenates columns first, then rows.

    Args:
        x: images.
        size: height and width of a window.
        steps: rows and columns from one window to the next.
        dilation: rows and columns from one pixel of a window to the next.
    """
    for axis in (2, 1):
        count, step = size[axis - 1], steps[axis - 1]
        length = x.shape[axis] - dilation * (count - 1)
        firsts = range(0, dilation * count, dilation)
        slices = [jax.lax.slice_in_dim(x, i, i + length, step, axis) for i in firsts]
        x = jnp.concatenate(slices, axis=-1)
    return x


def as_matrix(images: Float[Array, "N H W C"]) -> Float[Array, "NHW C"]:
    """A matrix with one row per pixel."""
    n, height, width, channels = images.shape
    return images.reshape(n * height * width, channels)


def rotated_180(
    w: Float[Array, "KH KW C_in/G C_out"], groups: int = 1
) -> Float[Array, "KH KW C_out/G C_in"]:
    """The kernel of (conv.7): rotated by 180 degrees, its channel axes swapped in each group."""
    return swapped(jnp.flip(w, (0, 1)), groups)


def swapped(
    w: Float[Array, "KH KW C_in/G C_out"], groups: int = 1
) -> Float[Array, "KH KW C_out/G C_in"]:
    """The kernel with its channel axes swapped in each group."""
    if groups == 1:
        return w.swapaxes(2, 3)
    height, width, inputs, outputs = w.shape
    grouped = w.reshape(height, width, inputs, groups, outputs // groups)
    return jnp.moveaxis(grouped, 4, 2).swapaxes(3, 4).reshape(height, width, -1, groups * inputs)


def overlap_added(
    p: Float[Array, "N H_out W_out KH KW C"],
    size: tuple[int, ...],
    starts: tuple[int, int],
    stride: int,
    dilation: int,
) -> Float[Array, "N H W C"]:
    """The sum (conv.10): each window's entries added to the pixels that they come from.

    Args:
        p: one entry for each window and pixel in it.
        size: height and width of the images.
        starts: the row and column of the first window's first pixel, at most 0.
        stride: rows and columns from one window to the next.
        dilation: rows and columns from one pixel of a window to the next.
    """
    taps = [
        sum_of(strided_scatter(p[:, :, :, u, v], 2, starts[1] + dilation * v, size[1], stride)
               for v in range(p.shape[4]))
        for u in range(p.shape[3])
    ]  # fmt: skip
    first = starts[0]
    return sum_of(
        strided_scatter(row, 1, first + dilation * u, size[0], stride) for u, row in enumerate(taps)
    )


def strided_slice(array: Array, axis: int, first: int, count: int, stride: int) -> Array:
    """Entries first, first + stride, ... (count of them) along an axis; zero outside the array."""
    last = first + stride * (count - 1)
    config: list[tuple[int, int, int]] = [_NO_PAD] * array.ndim
    config[axis] = (-first, last + 1 - array.shape[axis], 0)
    padded = jax.lax.pad(array, jnp.zeros((), array.dtype), config)
    return jax.lax.slice_in_dim(padded, 0, None, stride, axis)


def strided_scatter(array: Array, axis: int, first: int, size: int, stride: int) -> Array:
    """Zeros of this size along an axis, with the array's entries at first, first + stride, ..."""
    last = first + stride * (array.shape[axis] - 1)
    config: list[tuple[int, int, int]] = [_NO_PAD] * array.ndim
    config[axis] = (first, size - 1 - last, stride - 1)
    return jax.lax.pad(array, jnp.zeros((), array.dtype), config)


def sum_of(arrays: Iterable[Array]) -> Array:
    """The sum of one or more arrays."""
    return functools.reduce(operator.add, arrays)
