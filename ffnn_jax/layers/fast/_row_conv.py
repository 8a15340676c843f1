"""Convolution by whole rows of pixels: (conv.1) as one product and a few shifts, for a CPU.

A window of (conv.2) overlaps its neighbours, so every pixel appears KH KW times in P. Here it
appears KH times, in R: entry (u, c) of the row at (i, w) is pixel (s i + d u - p, w) of x, zero
outside the image, with p rows and q columns of zeros before x as in (conv.8):

    R[niw, uc] = x[n, s i + d u - p, w, c]                                      (row.1)

One product gives what every pixel contributes to the outputs through each kernel column v,

    Y[niw, vk] = sum_{u,c} R[niw, uc] w[u,v,c,k],    Y = R W'                   (row.2)

and (conv.1), in which pixel w = s j + d v - q enters output j, reduces to KW shifted sums:

    z[n,i,j,k] = b[k] + sum_v Y[n, i, s j + d v - q, vk]                        (row.3)

where entries outside Y are zero. The backward pass applies the three equations in reverse. Each
entry of Y enters at most one output:

    dY[niw, vk] = dz[n,i,j,k] if w = s j + d v - q for a j, else 0              (row.4)

(row.2) is the dense layer of (12), so (15) and (14) give

    dW' = R^T dY                                                                (row.5)
    dR = dY W'^T                                                                (row.6)

and every entry of R is one pixel:

    dx[n,h,w,c] = sum_{i,u: h = s i + d u - p} dR[niw, uc]                      (row.7)

The product is KW times as wide as that of (conv.3), which fills a processor's vector units even
with few output channels, and R and Y together hold KH C + KW K numbers per pixel where P holds
KH KW C. A layer uses this form where that is no more (``rows_are_lighter``); a first layer from 1
or 3 channels to 16 does not qualify. ``experiments/speed.py`` times both forms over the whole step.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ffnn_jax.layers._arguments import product
from ffnn_jax.layers._geometry import Shape, Windows, output_size
from ffnn_jax.layers._patches import strided_scatter, strided_slice, sum_of


def rows_are_lighter(kernel: tuple[int, ...]) -> bool:
    """Whether R and Y together hold no more numbers than P, for a kernel (KH, KW, C, K)."""
    height, width, inputs, outputs = kernel
    return height * inputs + width * outputs <= height * width * inputs


def row_conv2d(
    x: Float[Array, "N H W C_in"], w: Float[Array, "KH KW C_in C_out"], windows: Windows
) -> Float[Array, "N H_out W_out C_out"]:
    """The sum of (conv.1), without b, in the accumulation dtype."""
    rows, stride, dilation = _rows(x, w.shape[0], windows), windows.stride, windows.dilation
    y = product(rows, _kernel_matrix(w)).reshape(*rows.shape[:3], *w.shape[1::2])  # (row.2)
    pads = windows.pads[1]
    outputs = output_size(x.shape[2], w.shape[1], pads, stride, dilation)
    return sum_of(
        strided_slice(y[..., v, :], 2, dilation * v - pads[0], outputs, stride)
        for v in range(w.shape[1])
    )  # (row.3)


def row_conv2d_images(
    dz: Float[Array, "N H_out W_out C_out"],
    w: Float[Array, "KH KW C_in C_out"],
    size: Shape,
    windows: Windows,
) -> Float[Array, "N H W C_in"]:
    """Returns dx, in the accumulation dtype, for images of this height and width."""
    height, _, inputs, _ = w.shape
    dy, top = _dy(dz, w.shape[1], size[1], windows), windows.pads[0][0]
    dr = product(dy, _kernel_matrix(w).T).reshape(*dy.shape[:3], height, inputs)  # (row.6)
    return sum_of(
        strided_scatter(dr[..., u, :], 1, windows.dilation * u - top, size[0], windows.stride)
        for u in range(height)
    )  # (row.7)


def row_conv2d_kernels(
    x: Float[Array, "N H W C_in"],
    dz: Float[Array, "N H_out W_out C_out"],
    size: Shape,
    windows: Windows,
) -> Float[Array, "KH KW C_in C_out"]:
    """Returns dw, in the accumulation dtype, for kernels of this height and width."""
    (height, width), inputs, outputs = size, x.shape[3], dz.shape[3]
    rows, dy = _rows(x, height, windows), _dy(dz, width, x.shape[2], windows)
    flat = rows.reshape(-1, height * inputs), dy.reshape(-1, width * outputs)
    dw = product(flat[0].T, flat[1])  # (row.5)
    return dw.reshape(height, inputs, width, outputs).swapaxes(1, 2)


def _rows(x: Array, height: int, windows: Windows) -> Array:
    """R of (row.1) as (N, H_out, W, KH C): whole rows of x, concatenated."""
    pads, stride, dilation = windows.pads[0], windows.stride, windows.dilation
    outputs = output_size(x.shape[1], height, pads, stride, dilation)
    firsts = [dilation * u - pads[0] for u in range(height)]
    rows = [strided_slice(x, 1, first, outputs, stride) for first in firsts]
    return jnp.concatenate(rows, axis=-1)


def _dy(dz: Array, width: int, columns: int, windows: Windows) -> Array:
    """The matrix dY of (row.4) as (N, H_out, W, KW K)."""
    firsts = [windows.dilation * v - windows.pads[1][0] for v in range(width)]
    shifted = [strided_scatter(dz, 2, first, columns, windows.stride) for first in firsts]
    return jnp.concatenate(shifted, axis=-1)


def _kernel_matrix(w: Array) -> Array:
    """W' of (row.2): (KH, KW, C_in, C_out) as the matrix (KH C_in, KW C_out)."""
    height, width, inputs, outputs = w.shape
    return w.swapaxes(1, 2).reshape(height * inputs, width * outputs)
