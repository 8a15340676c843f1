"""Convolutions as the platform's own operation: (conv.1), (conv.4) and (conv.7) in one call each.

On a GPU and a TPU XLA hands these to the vendor's library or the matrix unit, without windows put
side by side in memory; that this is faster there was not measured yet. The products of the chapter
stay the CPU's way.

Each is (conv.1) again with other arrays in its places, as the chapter shows. For the gradient of
the kernels the sum of (conv.4) over n, i, j,

    dw[u,v,c,k] = sum_{n,i,j} x~[n, s i + u, s j + v, c] dz[n,i,j,k]            (conv.4)

is a convolution whose batch is c, whose channels are n, and whose kernel is dz with its entries s
apart. For the gradient of the images dz gets s - 1 zeros between neighbours, as in (conv.7).
"""

from typing import Any

import jax
from jaxtyping import Array, Float

from ffnn_jax.layers._arguments import accumulator
from ffnn_jax.layers._windows import Margins


def native_conv2d(
    x: Float[Array, "N H W C_in"],
    w: Float[Array, "KH KW C_in C_out"],
    around: Margins,
    stride: int,
) -> Float[Array, "N H_out W_out C_out"]:
    """The sum of (conv.1), without b, in the accumulator's dtype."""
    return _convolution(x, w, around, "NHWC", "HWIO", "NHWC", window_strides=(stride, stride))


def native_conv2d_kernels(
    x: Float[Array, "N H W C_in"],
    dz: Float[Array, "N H_out W_out C_out"],
    kernel: tuple[int, int],
    around: Margins,
    stride: int,
) -> Float[Array, "KH KW C_in C_out"]:
    """The gradient of the kernels, (conv.4), in the accumulator's dtype.

    Args:
        x: the images.
        dz: the cotangent of the output.
        kernel: (KH, KW).
        around: the zeros around x.
        stride: between windows.
    """

    def used(axis: int) -> tuple[int, int]:
        """The zeros before x, and after it so many that the last window ends there."""
        before = around[axis][0]
        end = stride * (dz.shape[axis + 1] - 1) + kernel[axis]
        return before, end - x.shape[axis + 1] - before

    return _convolution(
        x, dz, (used(0), used(1)), "CHWN", "IHWO", "HWNC", rhs_dilation=(stride, stride)
    )  # (conv.4)


def native_conv2d_images(
    dz: Float[Array, "N H_out W_out C_out"],
    turned: Float[Array, "KH KW C_out C_in"],
    around: Margins,
    stride: int,
) -> Float[Array, "N H W C_in"]:
    """The gradient of the images, (conv.7) and (conv.8), in the accumulator's dtype.

    Args:
        dz: the cotangent of the output.
        turned: the kernels turned by half a turn, their channel axes exchanged.
        around: the zeros around dz^, fewer than none where rows are cut off.
        stride: between windows of the forward.
    """
    return _convolution(
        dz, turned, around, "NHWC", "HWIO", "NHWC", lhs_dilation=(stride, stride)
    )  # (conv.7)


def _convolution(
    images: Array, kernels: Array, around: Margins, left: str, right: str, out: str, **steps: Any
) -> Array:
    return jax.lax.conv_general_dilated(
        images,
        kernels,
        padding=around,
        dimension_numbers=(left, right, out),
        preferred_element_type=accumulator(images),
        **{"window_strides": (1, 1), **steps},
    )
