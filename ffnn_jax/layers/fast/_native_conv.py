"""Convolutions as the platform's own operation: (conv.1), (conv.4) and (conv.7) in one call each.

On a GPU or TPU, XLA maps these to the vendor's library or the matrix unit, without building P in
memory. There a narrow x gives narrow results, whose sums are still in float32: asked for wide
results, XLA widens the operands first, and has no narrow products. A CPU uses these where they were
measured to be faster than matrix products, in standard order: inside a loop, XLA calls its library
only where axes are (N, H, W, C) and no kernel is reversed, and else compiles plain loops.

Each is (conv.1) again applied to other arrays, as the chapter shows. For the gradient of the
kernels the sum of (conv.4) over n, i, j,

    dw[u,v,c,k] = sum_{n,i,j} x~[n, s i + d u, s j + d v, c] dz[n,i,j,k]        (conv.4)

is a convolution whose batch is c, whose channels are n, and whose kernel is dz dilated by s, with
stride d. For the gradient of the images dz gets s - 1 zeros between neighbours, as in (conv.7).
"""

from typing import Any

import jax
from jaxtyping import Array, Float

from ffnn_jax.layers._arguments import accumulation_dtype
from ffnn_jax.layers._geometry import Pads, Shape, Windows, extent, pads_of_dz
from ffnn_jax.layers._patches import rotated_180

_in_memory = jax.lax.optimization_barrier
"""The array, computed: XLA does not take the steps that gave it as part of what reads it."""


def native_conv2d(
    x: Float[Array, "N H W C_in"],
    w: Float[Array, "KH KW C_in/G C_out"],
    windows: Windows,
    wide: bool = False,
    layout: tuple[str, str, str] = ("NHWC", "HWIO", "NHWC"),
    **others: Any,
) -> Float[Array, "N H_out W_out C_out"]:
    """The sum of (conv.1), without b, in the accumulation dtype; ``wide`` if never narrower.

    The layout says which axis is which, and ``others`` are arguments of XLA's convolution.
    """
    accumulation = accumulation_dtype(x)
    z = jax.lax.conv_general_dilated(
        x,
        w,
        window_strides=(windows.stride,) * 2,
        padding=windows.pads,
        rhs_dilation=(windows.dilation,) * 2,
        feature_group_count=windows.groups,
        dimension_numbers=layout,
        preferred_element_type=accumulation if wide else x.dtype,
        **others,
    )
    return z.astype(accumulation)


def native_conv2d_images(
    dz: Float[Array, "N H_out W_out C_out"],
    w: Float[Array, "KH KW C_in/G C_out"],
    size: Shape,
    windows: Windows,
) -> Float[Array, "N H W C_in"]:
    """Returns dx, in the accumulation dtype, for images of this height and width."""
    dilated = windows._replace(pads=pads_of_dz(dz.shape, w.shape, size, windows), stride=1)
    kernels, zeros = rotated_180(w, windows.groups), (windows.stride,) * 2
    return native_conv2d(dz, kernels, dilated, lhs_dilation=zeros)  # (conv.7), (conv.8)


def native_conv2d_kernels(
    x: Float[Array, "N H W C_in"],
    dz: Float[Array, "N H_out W_out C_out"],
    size: Shape,
    windows: Windows,
) -> Float[Array, "KH KW C_in/G C_out"]:
    """Returns dw, in the accumulation dtype, for kernels of this height and width."""
    pads, layout = _exact_pads(x.shape, size, dz.shape, windows), ("CHWN", "IHWO", "HWNC")
    inner, groups = Windows(pads, windows.dilation, windows.stride), windows.groups
    return native_conv2d(x, dz, inner, layout=layout, batch_group_count=groups)  # (conv.4)


def standard_conv2d(x: Array, w: Array, windows: Windows) -> Array:
    """``native_conv2d``, whose order is standard, of kernels kept as they are read."""
    return native_conv2d(x, _in_memory(w), windows, True)


def standard_conv2d_images(dz: Array, w: Array, size: Shape, windows: Windows) -> Array:
    """``native_conv2d_images`` in standard order, with stride 1 and one group."""
    dilated = windows._replace(pads=pads_of_dz(dz.shape, w.shape, size, windows))
    return native_conv2d(dz, _in_memory(rotated_180(w)), dilated, True)  # (conv.7), (conv.8)


def standard_conv2d_kernels(x: Array, dz: Array, size: Shape, windows: Windows) -> Array:
    """``native_conv2d_kernels`` in standard order, with stride 1 and one group."""
    pads = _exact_pads(x.shape, size, dz.shape, windows)
    images, kernels = _in_memory(x.transpose(3, 1, 2, 0)), _in_memory(dz.transpose(1, 2, 0, 3))
    dw = native_conv2d(images, kernels, Windows(pads, windows.dilation), True)  # (conv.4)
    return dw.transpose(1, 2, 0, 3)


def _exact_pads(x: Shape, kernel: Shape, dz: Shape, windows: Windows) -> Pads:
    """The pads of x, with the zeros after it changed so that the last window ends there."""

    def along(axis: int) -> tuple[int, int]:
        before, last = windows.pads[axis][0], windows.stride * (dz[axis + 1] - 1)
        return before, last + extent(kernel[axis], windows.dilation) - x[axis + 1] - before

    return along(0), along(1)


NATIVE = native_conv2d, native_conv2d_images, native_conv2d_kernels
STANDARD = standard_conv2d, standard_conv2d_images, standard_conv2d_kernels
