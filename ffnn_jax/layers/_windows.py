"""Windows that slide over images: their entries, and which of them a pixel lies in.

Window (i, j) is r by r pixels and begins at pixel (s i - p, s j - q), which may lie outside the
image; entry r u + v is at row u, column v of the window. Every window contains a pixel, so whatever
a window contains beyond a border of the image, the pixel at that border is in the window, too.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer

from ffnn_jax.layers._arguments import is_integer, require, require_floating, upcast
from ffnn_jax.layers._geometry import Padding, Shape, output_size, pads_of

_NO_PAD = (0, 0, 0)


class PoolWindows(NamedTuple):
    """Where the windows lie: r, s, (p, q), the numbers of i and j, and the image's extent."""

    size: int
    stride: int
    before: tuple[int, ...]
    counts: tuple[int, ...]
    extent: Shape

    @property
    def reach(self) -> int:
        """The number of windows along one axis that a pixel may lie in: r / s, rounded up."""
        return -(-self.size // self.stride)

    def number_dtype(self) -> jnp.dtype:
        """The dtype of an entry's number: int8 if that suffices."""
        return jnp.dtype(jnp.int8 if self.size**2 <= 127 else jnp.int32)

    def starts(self, axis: int) -> list[int]:
        """The first row (axis 0) or column (axis 1) of every window."""
        return [self.stride * i - self.before[axis] for i in range(self.counts[axis])]


def windows_of(shape: Shape, size: int, stride: int | None, padding: Padding) -> PoolWindows:
    """The windows of images (N, H, W, ...); the stride None stands for the window's size."""
    stride = size if stride is None else stride
    pads = pads_of(shape, (size, size), padding, stride)
    along = zip(shape[1:3], pads, strict=True)
    counts = tuple(output_size(length, size, both, stride) for length, both in along)
    return PoolWindows(size, stride, tuple(before for before, _ in pads), counts, shape[1:3])


def require_pool_windows(
    function: str, x: Array, window: int, stride: int | None, padding: Padding
) -> None:
    """Raises ValueError unless x is images and every window will contain at least one pixel."""
    require_floating(function, x=x)
    require(x.ndim == 4, function, "x", "of shape (N, H, W, C)", x.shape)
    require(is_integer(window, 1), function, "window", "an integer of at least 1", repr(window))
    valid = stride is None or is_integer(stride, 1)
    require(valid, function, "stride", "None or an integer of at least 1", repr(stride))
    valid = padding in ("SAME", "VALID") or (
        isinstance(padding, int) and is_integer(padding, 0) and padding < window
    )
    allowed = '"SAME", "VALID" or at least 0 and below the window'
    require(valid, function, "padding", allowed, repr(padding))
    pads = pads_of(x.shape, (window, window), padding, window if stride is None else stride)
    padded = tuple(length + sum(both) for length, both in zip(x.shape[1:3], pads, strict=True))
    fits = window <= min(padded)
    require(fits, function, "window", f"no larger than the padded image {padded}", window)


def entries(
    x: Float[Array, "N H W C"], windows: PoolWindows
) -> Iterator[tuple[Float[Array, "N H_out W_out C"], Integer[Array, "1 H_out W_out 1"]]]:
    """The windows' entries in row-major order, in at least float32, each with its number.

    An entry beyond the border is a copy of the nearest pixel, and has that pixel's number.
    """
    images = _extended(x, windows)
    for offsets in itertools.product(range(windows.size), repeat=2):
        (top, rows), (left, columns) = (_strided(windows, axis, offsets[axis]) for axis in (0, 1))
        numbers = [[windows.size * u + v for v in left] for u in top]
        number = jnp.array(numbers, windows.number_dtype())[None, :, :, None]
        yield upcast(images[:, rows, columns]), number


def windows_of_pixels(
    windows: PoolWindows, *outputs: Array
) -> Iterator[tuple[Integer[Array, "1 1 s 1 s 1"], list[Array]]]:
    """For blocks of s by s pixels, the windows that begin g, h blocks before, for each g and h.

    Yields each pixel's number in that window, or -1 where it is not in it, and the outputs of that
    window, both to be broadcast to (N, rows of blocks, s, columns of blocks, s, C).
    """
    size, stride, reach = windows.size, windows.stride, windows.reach
    pads = ((0, 0), (reach - 1, reach - 1), (reach - 1, reach - 1), (0, 0))
    padded = [jnp.pad(output, pads) for output in outputs]
    n, m = (count + reach - 1 for count in windows.counts)
    for g, h in itertools.product(range(reach), repeat=2):
        us, vs = ([stride * blocks + k for k in range(stride)] for blocks in (g, h))
        numbers = [[size * u + v if max(u, v) < size else -1 for v in vs] for u in us]
        number = jnp.array(numbers, windows.number_dtype()).reshape(1, 1, stride, 1, stride, 1)
        rows, columns = slice(reach - 1 - g, reach - 1 - g + n), slice(reach - 1 - h, None)
        yield number, [v[:, rows, columns][:, :, None, :m, None] for v in padded]


def from_blocks(
    blocks: Float[Array, "N rows s columns s C"], windows: PoolWindows
) -> Float[Array, "N H W C"]:
    """Blocks of pixels as images: without what is beyond the border, zero where no window is."""
    n, rows, s, columns, _, channels = blocks.shape
    images = blocks.reshape(n, rows * s, columns * s, channels)
    along = zip(windows.extent, windows.before, images.shape[1:3], strict=True)
    edges = [(-before, length + before - covered, 0) for length, before, covered in along]
    return jax.lax.pad(images, jnp.zeros((), images.dtype), [_NO_PAD, *edges, _NO_PAD])


def _strided(windows: PoolWindows, axis: int, offset: int) -> tuple[list[int], slice]:
    """Offsets of the nearest pixels in each window, and where the extended image has them."""
    last = windows.extent[axis] - 1
    nearest = [min(max(at + offset, 0), last) - at for at in windows.starts(axis)]
    end = offset + windows.stride * (windows.counts[axis] - 1) + 1
    return nearest, slice(offset, end, windows.stride)


def _extended(x: Array, windows: PoolWindows) -> Array:
    """The rows and columns that windows contain, those beyond a border copied from it."""
    for axis, length in enumerate(windows.extent):
        first, end = -windows.before[axis], windows.starts(axis)[-1] + windows.size
        if first < 0 or end > length:
            nearest = [min(max(at, 0), length - 1) for at in range(first, end)]
            x = jnp.take(x, jnp.array(nearest), axis=axis + 1)
    return x
