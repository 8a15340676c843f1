"""Convolution of stride 1 by pairs of outputs: (conv.3) with fewer and wider rows, for a CPU.

The windows under outputs (i, 2j) and (i, 2j+1) differ in a column at either end. One row of P holds
both, KW + 1 columns wide:

    P[nij, uvc] = x~[n, i + u, 2 j + v, c],   v = 0 ... KW                      (pair.1)

Output 2j+e has its window from column e on; its kernel, with a column of zeros at the other end, is
the e-th block of

    W[uvc, ek] = w[u, v - e, c, k], zero where w has no column v - e            (pair.2)
    z[n, i, 2 j + e, k] = b[k] + (P W)[nij, ek]                                 (pair.3)

That is the dense layer of (12) again. With dZ[nij, ek] = dz[n, i, 2 j + e, k] (15) gives the
gradient of W, in which every entry of w stands once for each e:

    dW = P^T dZ                                                                 (pair.4)
    dw[u,v,c,k] = sum_e dW[u (v+e) c, ek]                                       (pair.5)

dx is a convolution of stride 1 as (conv.7) has it, so pairs give it, too.

P holds (KW+1) / 2KW of the numbers of (conv.2), 0.6 for KW = 5, which is what a first layer of 1 or
3 channels into 16 waits for; the products have (KW+1) / KW as many terms, and twice the columns for
a processor's vector units. In every layer of the report's networks in place of windows, pairs make
the whole step 1.18 to 1.29 times faster; beside rows, which leave them the first layer, 1.12 to
1.14 times.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ffnn_jax.layers._arguments import product
from ffnn_jax.layers._geometry import Pads
from ffnn_jax.layers._patches import as_matrix, padded, patches

_PAIR = 2


def pairs_fit(columns: int, kernel: tuple[int, ...], stride: int) -> bool:
    """Whether this many columns of outputs are pairs, and P is smaller than that of (conv.2)."""
    return stride == 1 and columns % _PAIR == 0 and kernel[1] > 1


def pair_conv2d(
    x: Float[Array, "N H W C_in"], w: Float[Array, "KH KW C_in C_out"], pads: Pads
) -> Float[Array, "N H_out W_out C_out"]:
    """The sum of (conv.1), without b, in the accumulation dtype."""
    pairs = _pairs(x, w.shape[:2], pads)
    z = product(as_matrix(pairs), _both(w))  # (pair.3)
    n, rows, columns, _ = pairs.shape
    return z.reshape(n, rows, _PAIR * columns, w.shape[3])


def pair_conv2d_kernels(
    x: Float[Array, "N H W C_in"],
    dz: Float[Array, "N H_out W_out C_out"],
    kernel: tuple[int, ...],
    pads: Pads,
) -> Float[Array, "KH KW C_in C_out"]:
    """The dw of (pair.5), in the accumulation dtype."""
    height, width = kernel
    pairs = as_matrix(_pairs(x, kernel, pads))
    dw = product(pairs.T, dz.reshape(len(pairs), _PAIR * dz.shape[3]))  # (pair.4)
    dw = dw.reshape(height, width + 1, x.shape[3], _PAIR, dz.shape[3])
    return dw[:, :-1, :, 0] + dw[:, 1:, :, 1]  # (pair.5)


def _pairs(x: Array, kernel: tuple[int, ...], pads: Pads) -> Array:
    """P of (pair.1) as (N, H_out, W_out / 2, KH (KW+1) C)."""
    return patches(padded(x, pads), (kernel[0], kernel[1] + 1), (1, _PAIR))


def _both(w: Array) -> Array:
    """W of (pair.2), as the matrix (KH (KW+1) C_in, 2 C_out)."""
    height, width, inputs, outputs = w.shape
    blocks = [jnp.pad(w, ((0, 0), (e, 1 - e), (0, 0), (0, 0))) for e in range(_PAIR)]
    return jnp.stack(blocks, axis=3).reshape(height * (width + 1) * inputs, _PAIR * outputs)
