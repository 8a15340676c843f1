"""Convolution of stride 1 by pairs of outputs: (conv.3) with fewer and wider rows, for a CPU.

The windows under outputs (i, 2j) and (i, 2j+1) differ by one column at either end. One row of P
holds both, KW + 1 columns wide:

    P[nij, uvc] = x~[n, i + u, 2 j + v, c],   v = 0 ... KW                      (pair.1)

The window of output 2j+e starts at column e; its kernel, with a column of zeros at the other end,
is the e-th block of

    W[uvc, ek] = w[u, v - e, c, k], zero where w has no column v - e            (pair.2)
    z[n, i, 2 j + e, k] = b[k] + (P W)[nij, ek]                                 (pair.3)

That is the dense layer of (12) again. With dZ[nij, ek] = dz[n, i, 2 j + e, k] (15) gives the
gradient of W, in which every entry of w appears once for each e:

    dW = P^T dZ                                                                 (pair.4)
    dw[u,v,c,k] = sum_e dW[u (v+e) c, ek]                                       (pair.5)

dx is a convolution of stride 1 by (conv.7), so pairs compute it too.

P has (KW+1) / 2KW times the entries of (conv.2), 0.6 for KW = 5, and the size of P limits a first
layer from 1 or 3 channels to 16; the products have (KW+1) / KW times the terms, and twice the
columns for a processor's vector units. Used instead of im2col in every layer of the report's
networks, pairs make the whole step 1.18 to 1.29 times faster; used in the first layer alone, with
rows in the others, 1.12 to 1.14 times.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ffnn_jax.layers._arguments import product
from ffnn_jax.layers._geometry import Pads, Shape, Windows
from ffnn_jax.layers._patches import as_matrix, padded, patches

_PAIR = 2


def pairs_fit(columns: int, kernel: tuple[int, ...], windows: Windows) -> bool:
    """Whether this many output columns can be paired, with a P smaller than that of (conv.2)."""
    return windows[1:] == (1, 1, 1) and columns % _PAIR == 0 and kernel[1] > 1


def pair_conv2d(
    x: Float[Array, "N H W C_in"], w: Float[Array, "KH KW C_in C_out"], windows: Windows
) -> Float[Array, "N H_out W_out C_out"]:
    """The sum of (conv.1), without b, in the accumulation dtype."""
    pairs = _pairs(x, w.shape[:2], windows.pads)
    z = product(as_matrix(pairs), _kernel_matrix(w))  # (pair.3)
    n, rows, columns, _ = pairs.shape
    return z.reshape(n, rows, _PAIR * columns, w.shape[3])


def pair_conv2d_kernels(
    x: Float[Array, "N H W C_in"],
    dz: Float[Array, "N H_out W_out C_out"],
    size: Shape,
    windows: Windows,
) -> Float[Array, "KH KW C_in C_out"]:
    """Returns dw of (pair.5), in the accumulation dtype."""
    height, width = size
    pairs = as_matrix(_pairs(x, size, windows.pads))
    dw = product(pairs.T, dz.reshape(len(pairs), _PAIR * dz.shape[3]))  # (pair.4)
    dw = dw.reshape(height, width + 1, x.shape[3], _PAIR, dz.shape[3])
    return dw[:, :-1, :, 0] + dw[:, 1:, :, 1]  # (pair.5)


def _pairs(x: Array, kernel: Shape, pads: Pads) -> Array:
    """P of (pair.1) as (N, H_out, W_out / 2, KH (KW+1) C)."""
    return patches(padded(x, pads), (kernel[0], kernel[1] + 1), (1, _PAIR))


def _kernel_matrix(w: Array) -> Array:
    """W of (pair.2), as the matrix (KH (KW+1) C_in, 2 C_out)."""
    height, width, inputs, outputs = w.shape
    blocks = [jnp.pad(w, ((0, 0), (e, 1 - e), (0, 0), (0, 0))) for e in range(_PAIR)]
    return jnp.stack(blocks, axis=3).reshape(height * (width + 1) * inputs, _PAIR * outputs)
