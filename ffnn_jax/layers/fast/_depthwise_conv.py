"""Depthwise convolution by shifted images: (conv.1) where every group has one input, for a CPU.

Output channel cm, number m of the M that see input channel c alone, needs no matrix product:

    z[n,i,j,cm] = b[cm] + sum_{u,v} x~[n, s i + d u, s j + d v, c] w[u,v,cm]    (shift.1)

It is KH KW shifted images, each times one number per channel, and its two gradients are

    dx~[n,h,w,c] = sum_{m,i,j,u,v: h = s i + d u, w = s j + d v} dz[n,i,j,cm] w[u,v,cm]   (shift.2)
    dw[u,v,cm] = sum_{n,i,j} x~[n, s i + d u, s j + d v, c] dz[n,i,j,cm]        (shift.3)

Products with single columns, as in (conv.3) for each group, would leave most of a processor idle.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ffnn_jax.layers._arguments import upcast
from ffnn_jax.layers._geometry import Shape, Windows, extent
from ffnn_jax.layers._patches import overlap_added, padded, sum_of


def is_depthwise(kernel: Shape, groups: int) -> bool:
    """Whether every group has one input channel, for a kernel (KH, KW, C_in/G, C_out)."""
    return groups > 1 and kernel[2] == 1


def depthwise_conv2d(
    x: Float[Array, "N H W C"], w: Float[Array, "KH KW 1 CM"], windows: Windows
) -> Float[Array, "N H_out W_out CM"]:
    """The sum of (shift.1), without b, in the accumulation dtype."""
    factors = _by_channel(upcast(w)[:, :, 0], windows.groups)[:, :, None, None, None]
    shifts = _shifts(x, w.shape[:2], windows)
    z = sum_of(shift[..., None] * factors[tap] for tap, shift in shifts.items())  # (shift.1)
    return z.reshape(*z.shape[:3], w.shape[3])


def depthwise_conv2d_images(
    dz: Float[Array, "N H_out W_out CM"],
    w: Float[Array, "KH KW 1 CM"],
    size: Shape,
    windows: Windows,
) -> Float[Array, "N H W C"]:
    """Returns dx, in the accumulation dtype, for images of this height and width."""
    pads, stride, dilation, groups = windows
    dz_wide = _by_channel(upcast(dz), groups)[:, :, :, None, None]
    factors = _by_channel(upcast(w)[:, :, 0], groups)[None, None, None]
    products, starts = jnp.sum(dz_wide * factors, axis=-1), (-pads[0][0], -pads[1][0])
    return overlap_added(products, size, starts, stride, dilation)  # (shift.2)


def depthwise_conv2d_kernels(
    x: Float[Array, "N H W C"], dz: Float[Array, "N H_out W_out CM"], size: Shape, windows: Windows
) -> Float[Array, "KH KW 1 CM"]:
    """Returns dw, in the accumulation dtype, for kernels of this height and width."""
    shifts, dz_wide = _shifts(x, size, windows), _by_channel(upcast(dz), windows.groups)
    dw = [jnp.sum(shift[..., None] * dz_wide, (0, 1, 2)) for shift in shifts.values()]  # (shift.3)
    return jnp.stack(dw).reshape(*size, 1, dz.shape[3])


def _shifts(x: Array, size: Shape, windows: Windows) -> dict[tuple[int, int], Array]:
    """The image x~[n, s i + d u, s j + d v, c] of every (u, v)."""
    pads, stride, dilation, _ = windows
    x = padded(upcast(x), pads)
    ends = [x.shape[axis + 1] - extent(size[axis], dilation) + 1 for axis in (0, 1)]

    def shift(u: int, v: int) -> Array:
        first = (0, dilation * u, dilation * v, 0)
        last = (x.shape[0], first[1] + ends[0], first[2] + ends[1], x.shape[3])
        return jax.lax.slice(x, first, last, (1, stride, stride, 1))

    return {(u, v): shift(u, v) for u in range(size[0]) for v in range(size[1])}


def _by_channel(array: Array, groups: int) -> Array:
    """(..., CM) as (..., C, M)."""
    return array.reshape(*array.shape[:-1], groups, array.shape[-1] // groups)


DEPTHWISE = depthwise_conv2d, depthwise_conv2d_images, depthwise_conv2d_kernels
