"""Windows of images, put side by side: the rows of P in (conv.2), and the kernel of (conv.7)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ffnn_jax.layers._geometry import Pads

_NONE = (0, 0, 0)


def padded(
    images: Float[Array, "N H W C"], pads: Pads, stride: int = 1
) -> Float[Array, "N H2 W2 C"]:
    """Images with zeros around them, and stride - 1 zeros between neighbours."""
    rows, columns = ((*margins, stride - 1) for margins in pads)
    return jax.lax.pad(images, jnp.zeros((), images.dtype), [_NONE, rows, columns, _NONE])


def patches(
    x: Float[Array, "N H W C"], size: tuple[int, ...], steps: tuple[int, int]
) -> Float[Array, "N H_out W_out KHKWC"]:
    """P of (conv.2), a row for each window: columns are put side by side, and of these rows.

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
    """A row for each pixel."""
    n, height, width, channels = images.shape
    return images.reshape(n * height * width, channels)


def rotated_180(w: Float[Array, "KH KW C_in C_out"]) -> Float[Array, "KH KW C_out C_in"]:
    """The kernel of (conv.7): turned by half a turn, its channel axes exchanged."""
    return jnp.flip(w, (0, 1)).swapaxes(2, 3)
