"""Image patches for im2col: P of (conv.2); and the rotated kernel of (conv.7)."""

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
    x: Float[Array, "N H W C"], size: tuple[int, ...], steps: tuple[int, int]
) -> Float[Array, "N H_out W_out KHKWC"]:
    """P of (conv.2), one row per window: concatenates columns first, then rows.

    Args:
        x: images.
        size: height and width of a window.
        steps: rows and columns from one window to the next.
    """
    for axis in (2, 1):
        count, step = size[axis - 1], steps[axis - 1]
        last = x.shape[axis] - count
        slices = [
            jax.lax.slice_in_dim(x, first, first + last + 1, step, axis) for first in range(count)
        ]
        x = jnp.concatenate(slices, axis=-1)
    return x


def as_matrix(images: Float[Array, "N H W C"]) -> Float[Array, "NHW C"]:
    """A matrix with one row per pixel."""
    n, height, width, channels = images.shape
    return images.reshape(n * height * width, channels)


def rotated_180(w: Float[Array, "KH KW C_in C_out"]) -> Float[Array, "KH KW C_out C_in"]:
    """The kernel of (conv.7): rotated by 180 degrees, with its channel axes swapped."""
    return jnp.flip(w, (0, 1)).swapaxes(2, 3)
