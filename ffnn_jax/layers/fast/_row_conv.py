"""Convolution by whole rows of pixels: (conv.1) as one product and a few shifts, for a CPU.

A window of (conv.2) overlaps its neighbours, so every pixel appears KH KW times in P. Here it
appears KH times, in R: entry (u, c) of the row at (i, w) is pixel (s i + u - p, w) of x, zero
outside the image, with p rows and q columns of zeros before x as in (conv.8):

    R[niw, uc] = x[n, s i + u - p, w, c]                                        (row.1)

One product gives what every pixel contributes to the outputs through each kernel column v,

    Y[niw, vk] = sum_{u,c} R[niw, uc] w[u,v,c,k],    Y = R W'                   (row.2)

and (conv.1), in which pixel w = s j + v - q enters output j, reduces to KW shifted sums:

    z[n,i,j,k] = b[k] + sum_v Y[n, i, s j + v - q, vk]                          (row.3)

where entries outside Y are zero. The backward pass applies the three equations in reverse. Each
entry of Y enters at most one output:

    dY[niw, vk] = dz[n,i,j,k] if w = s j + v - q for a j, else 0                (row.4)

(row.2) is the dense layer of (12), so (15) and (14) give

    dW' = R^T dY                                                                (row.5)
    dR = dY W'^T                                                                (row.6)

and every entry of R is one pixel:

    dx[n,h,w,c] = sum_{i,u: h = s i + u - p} dR[niw, uc]                        (row.7)

The product is KW times as wide as that of (conv.3), which fills a processor's vector units even
with few output channels, and R and Y together hold KH C + KW K numbers per pixel where P holds
KH KW C. A layer uses this form where that is no more (``rows_are_lighter``); a first layer from 1
or 3 channels to 16 does not qualify. ``experiments/speed.py`` times both forms over the whole step.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ffnn_jax.layers._arguments import product
from ffnn_jax.layers._geometry import Pads, output_size


def rows_are_lighter(kernel: tuple[int, ...]) -> bool:
    """Whether R and Y together hold no more numbers than P, for a kernel (KH, KW, C, K)."""
    height, width, inputs, outputs = kernel
    return height * inputs + width * outputs <= height * width * inputs


def row_conv2d(
    x: Float[Array, "N H W C_in"], w: Float[Array, "KH KW C_in C_out"], pads: Pads, stride: int
) -> Float[Array, "N H_out W_out C_out"]:
    """The sum of (conv.1), without b, in the accumulation dtype."""
    rows = _rows(x, w.shape, pads[0], stride)
    y = product(rows, _kernel_matrix(w)).reshape(*rows.shape[:3], *w.shape[1::2])  # (row.2)
    left, outputs = pads[1][0], output_size(x.shape[2], w.shape[1], pads[1], stride)
    shifts = [_strided_slice(y[..., v, :], 2, v - left, outputs, stride) for v in range(w.shape[1])]
    return sum(shifts[1:], shifts[0])  # (row.3)


def row_conv2d_backward(
    x: Float[Array, "N H W C_in"],
    w: Float[Array, "KH KW C_in C_out"],
    dz: Float[Array, "N H_out W_out C_out"],
    pads: Pads,
    stride: int,
) -> tuple[Float[Array, "N H W C_in"], Float[Array, "KH KW C_in C_out"]]:
    """Returns (dx, dw), in the accumulation dtype."""
    height, width, inputs, outputs = w.shape
    rows, (top, left) = _rows(x, w.shape, pads[0], stride), (pads[0][0], pads[1][0])
    shifted = [_strided_scatter(dz, 2, v - left, x.shape[2], stride) for v in range(width)]
    dy = jnp.concatenate(shifted, axis=-1)  # (row.4)
    flat = (-1, width * outputs)
    dw = product(rows.reshape(-1, height * inputs).T, dy.reshape(flat))  # (row.5)
    dr = product(dy, _kernel_matrix(w).T).reshape(*rows.shape[:3], height, inputs)  # (row.6)
    terms = [_strided_scatter(dr[..., u, :], 1, u - top, x.shape[1], stride) for u in range(height)]
    dx = sum(terms[1:], terms[0])  # (row.7)
    return dx, dw.reshape(height, inputs, width, outputs).swapaxes(1, 2)


def _rows(x: Array, kernel: tuple[int, ...], pads: tuple[int, int], stride: int) -> Array:
    """R of (row.1) as (N, H_out, W, KH C): whole rows of x, concatenated."""
    outputs = output_size(x.shape[1], kernel[0], pads, stride)
    rows = [_strided_slice(x, 1, u - pads[0], outputs, stride) for u in range(kernel[0])]
    return jnp.concatenate(rows, axis=-1)


def _kernel_matrix(w: Array) -> Array:
    """W' of (row.2): (KH, KW, C_in, C_out) as the matrix (KH C_in, KW C_out)."""
    height, width, inputs, outputs = w.shape
    return w.swapaxes(1, 2).reshape(height * inputs, width * outputs)


def _strided_slice(array: Array, axis: int, first: int, count: int, stride: int) -> Array:
    """Entries first, first + stride, ... (count of them) along an axis; zero outside the array."""
    last = first + stride * (count - 1)
    config = [(0, 0, 0)] * array.ndim
    config[axis] = (-first, last + 1 - array.shape[axis], 0)
    padded = jax.lax.pad(array, jnp.zeros((), array.dtype), config)
    return jax.lax.slice_in_dim(padded, 0, None, stride, axis)


def _strided_scatter(array: Array, axis: int, first: int, size: int, stride: int) -> Array:
    """Zeros of this size along an axis, with the array's entries at first, first + stride, ..."""
    last = first + stride * (array.shape[axis] - 1)
    config = [(0, 0, 0)] * array.ndim
    config[axis] = (first, size - 1 - last, stride - 1)
    return jax.lax.pad(array, jnp.zeros((), array.dtype), config)
