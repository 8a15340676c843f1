"""Transposed two-dimensional convolution: equations (transpose.1)-(transpose.8).

Images x (N, H, W, C_in), kernels w (KH, KW, C_in, C_out), bias b (C_out), stride s. Where a
convolution gathers a window, this scatters one: pixel (i, j) of x adds its multiple of the kernel
to the window of z~ that begins at (s i, s j),

    z~[n,h,w,k] = sum_{i,j,u,v,c: h = s i + u, w = s j + v} x[n,i,j,c] w[u,v,c,k]   (transpose.1)

and p rows and q columns are cropped before it, with what remains after the output's size:

    z[n,h,w,k] = b[k] + z~[n, h+p, w+q, k]                                      (transpose.2)

(transpose.1) is (conv.6), the gradient of the images of a convolution, with x for its dz and the
channel axes of w swapped: z is D(x, w) of (conv.12), the adjoint of the convolution F from C_out
to C_in channels. Let dz~ be dz padded by p and q zeros, as x~ is in (conv.1). Then (conv.12) gives
both gradients at once. For any change y of x, <dz, D(y, w)> = <F(dz, w), y>:

    dx[n,i,j,c] = sum_{u,v,k} dz~[n, s i + u, s j + v, k] w[u,v,c,k]            (transpose.3)

and for any change r of w, <dz, D(x, r)> = <x, F(dz, r)> = <K(dz, x), r>:

    dw[u,v,c,k] = sum_{n,i,j} dz~[n, s i + u, s j + v, k] x[n,i,j,c]            (transpose.4)
    db[k] = sum_{n,h,w} dz[n,h,w,k]                                             (transpose.5)

so x's gradient is an ordinary convolution with stride s: a network that draws its image by
transposed convolutions sends gradients back by plain ones.

Size and pads are those of the convolution that this transposes:

    "SAME":  H_out = s H,  p = floor(max(KH - s, 0) / 2)                        (transpose.6)
    "VALID": H_out = s H + max(KH - s, 0),  p = 0                               (transpose.7)
    p:       H_out = s (H-1) + KH - 2p                                          (transpose.8)

It equals ``jax.lax.conv_transpose`` of x and the kernel rotated by 180 degrees, ``w[::-1, ::-1]``,
for "SAME" and "VALID"; and PyTorch's ``conv_transpose2d``, whose weight (C_in, C_out, KH, KW) is
w[u, v, c, k] at [c, k, u, v], for a number p. The residuals are x and w.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ffnn_jax.layers._arguments import (
    accumulation_dtype,
    cast_to_compute,
    custom_vjp_with_static,
    is_integer,
    require,
    upcast,
)
from ffnn_jax.layers._conv import IM2COL, require_shapes
from ffnn_jax.layers._geometry import Padding, Shape, Windows, require_padding
from ffnn_jax.layers._patches import swapped
from ffnn_jax.layers.fast import ConvForm, blocks, by_platform

__all__ = ["conv_transpose2d", "conv_transpose2d_backward", "conv_transpose2d_forward"]

TransposeResiduals = tuple[Float[Array, "N H W C_in"], Float[Array, "KH KW C_in C_out"]]


def conv_transpose2d_forward(
    x: Float[Array, "N H W C_in"],
    w: Float[Array, "KH KW C_in C_out"],
    b: Float[Array, " C_out"],
    stride: int = 1,
    padding: Padding = "SAME",
) -> tuple[Float[Array, "N H_out W_out C_out"], TransposeResiduals]:
    """Returns z and the residuals (x, w)."""
    _require_arguments(x, w, b, stride, padding)
    size, windows = _geometry(x.shape, w.shape, stride, padding)

    def scatter(form: ConvForm, x: Array, w: Array) -> Array:
        return form.images(x, swapped(w), size, windows)  # (transpose.1), (transpose.2)

    z = by_platform(blocks(IM2COL), IM2COL, scatter, x, cast_to_compute(w, x))
    return (z + upcast(b)[None, None, None, :]).astype(x.dtype), (x, w)


@custom_vjp_with_static(3, 4)
def conv_transpose2d(
    x: Float[Array, "N H W C_in"],
    w: Float[Array, "KH KW C_in C_out"],
    b: Float[Array, " C_out"],
    stride: int = 1,
    padding: Padding = "SAME",
) -> Float[Array, "N H_out W_out C_out"]:
    """Transposed convolution: the adjoint of ``conv2d`` from C_out to C_in channels, with a bias.

    Args:
        x: images, batch first, channels last.
        w: kernels, in x's dtype, or float32 if x is narrower; not rotated.
        b: biases, one per output channel, in w's dtype.
        stride: step between the windows that neighbouring pixels add to.
        padding: number of rows and columns cropped on each side, or ((top, bottom), (left,
            right)); or "SAME" for an output of stride H by stride W; or "VALID" for none cropped.

    Returns:
        z, equation (transpose.2), in x's dtype; its size is (transpose.6)-(transpose.8).

    Raises:
        ValueError: shapes or dtypes do not match, x is not floating-point, nothing is left after
            cropping, or a setting is out of range.
    """
    return conv_transpose2d_forward(x, w, b, stride, padding)[0]


def conv_transpose2d_backward(
    stride: int,
    padding: Padding,
    residuals: TransposeResiduals,
    dz: Float[Array, "N H_out W_out C_out"],
) -> tuple[Float[Array, "N H W C_in"], Float[Array, "KH KW C_in C_out"], Float[Array, " C_out"]]:
    """Returns (dx, dw, db), equations (transpose.3), (transpose.4) and (transpose.5)."""
    x, w = residuals
    _, windows = _geometry(x.shape, w.shape, stride, padding)

    def gradients(form: ConvForm, x: Array, w: Array, dz: Array) -> tuple[Array, Array]:
        dw = swapped(form.kernels(dz, x, w.shape[:2], windows))  # (transpose.4)
        return form.forward(dz, swapped(w), windows), dw  # (transpose.3)

    dx, dw = by_platform(blocks(IM2COL), IM2COL, gradients, x, cast_to_compute(w, x), dz)
    db = jnp.sum(dz, axis=(0, 1, 2), dtype=accumulation_dtype(dz))  # (transpose.5)
    return dx.astype(x.dtype), dw.astype(w.dtype), db.astype(w.dtype)


def _geometry(x: Shape, w: Shape, stride: int, padding: Padding) -> tuple[Shape, Windows]:
    """Height and width of z, and the windows of the convolution that is transposed."""
    axes = [_along(x[axis + 1], w[axis], stride, padding, axis) for axis in (0, 1)]
    (height, rows), (width, columns) = axes
    return (height, width), Windows((rows, columns), stride)


def _along(
    size: int, kernel: int, stride: int, padding: Padding, axis: int
) -> tuple[int, tuple[int, int]]:
    """The size of z along an axis and the pads, by (transpose.6)-(transpose.8)."""
    if isinstance(padding, str):
        overlap = max(kernel - stride, 0) * (padding == "SAME")
        return stride * size + max(kernel - stride, 0) - overlap, (overlap // 2, -(-overlap // 2))
    before, after = padding[axis] if isinstance(padding, tuple) else (padding, padding)
    return stride * (size - 1) + kernel - before - after, (before, after)


def _require_arguments(x: Array, w: Array, b: Array, stride: int, padding: Padding) -> None:
    name = "conv_transpose2d"
    require_shapes(name, x, w, b)
    require(is_integer(stride, 1), name, "stride", "an integer of at least 1", repr(stride))
    require_padding(name, padding)
    size, _ = _geometry(x.shape, w.shape, stride, padding)
    left = "small enough to leave a row and a column"
    require(min(size) >= 1, name, "padding", left, repr(padding))


conv_transpose2d.defvjp(conv_transpose2d_forward, conv_transpose2d_backward)
