"""Convolutions as the platform's own operation: (conv.1), (conv.4) and (conv.7) in one call each.

On a GPU or TPU, XLA maps these to the vendor's library or the matrix unit, without building P in
memory; whether this is faster there has not been measured yet. CPUs keep the chapter's matrix
products.

Each is (conv.1) again applied to other arrays, as the chapter shows. For the gradient of the
kernels the sum of (conv.4) over n, i, j,

    dw[u,v,c,k] = sum_{n,i,j} x~[n, s i + u, s j + v, c] dz[n,i,j,k]            (conv.4)

is a convolution whose batch is c, whose channels are n, and whose kernel is dz dilated by s. For
the gradient of the images dz gets s - 1 zeros between neighbours, as in (conv.7).
"""

from typing import Any

import jax
from jaxtyping import Array, Float

from ffnn_jax.layers._arguments import accumulation_dtype
from ffnn_jax.layers._geometry import Pads, Shape, pads_of_dz
from ffnn_jax.layers._patches import rotated_180


def native_conv2d(
    x: Float[Array, "N H W C_in"], w: Float[Array, "KH KW C_in C_out"], pads: Pads, stride: int
) -> Float[Array, "N H_out W_out C_out"]:
    """The sum of (conv.1), without b, in the accumulation dtype."""
    return _convolution(x, w, pads, "NHWC", "HWIO", "NHWC", window_strides=(stride, stride))


def native_conv2d_backward(
    x: Float[Array, "N H W C_in"],
    w: Float[Array, "KH KW C_in C_out"],
    dz: Float[Array, "N H_out W_out C_out"],
    pads: Pads,
    stride: int,
) -> tuple[Float[Array, "N H W C_in"], Float[Array, "KH KW C_in C_out"]]:
    """Returns (dx, dw), in the accumulation dtype."""
    exact_pads = _exact_pads(x.shape, w.shape, dz.shape, pads, stride)
    dw = _convolution(
        x, dz, exact_pads, "CHWN", "IHWO", "HWNC", rhs_dilation=(stride, stride)
    )  # (conv.4)
    dz_pads = pads_of_dz(dz.shape, x.shape, w.shape, pads, stride)
    dx = _convolution(
        dz, rotated_180(w), dz_pads, "NHWC", "HWIO", "NHWC", lhs_dilation=(stride, stride)
    )  # (conv.7), (conv.8)
    return dx, dw


def _exact_pads(x: Shape, w: Shape, dz: Shape, pads: Pads, stride: int) -> Pads:
    """The pads of x, with the zeros after it changed so that the last window ends there."""

    def along(axis: int) -> tuple[int, int]:
        before, end = pads[axis - 1][0], stride * (dz[axis] - 1) + w[axis - 1]
        return before, end - x[axis] - before

    return along(1), along(2)


def _convolution(
    images: Array, kernels: Array, pads: Pads, left: str, right: str, out: str, **steps: Any
) -> Array:
    return jax.lax.conv_general_dilated(
        images,
        kernels,
        padding=pads,
        dimension_numbers=(left, right, out),
        preferred_element_type=accumulation_dtype(images),
        **{"window_strides": (1, 1), **steps},
    )
