"""Two-dimensional convolution: equations (conv.1)-(conv.8).

Images x (N, H, W, C_in), kernels w (KH, KW, C_in, C_out), bias b (C_out). As in the report and in
every deep-learning library the kernel is not flipped: this is a cross-correlation. With x~ the
zero-padded image and s the stride,

    z[n,i,j,k] = b[k] + sum_{u,v,c} x~[n, s i + u, s j + v, c] w[u,v,c,k]       (conv.1)

Write the window under output (i, j), a patch of the image, as one row of a matrix P. This layout
is known as im2col; P has one row per (n, i, j):

    P[nij, uvc] = x~[n, s i + u, s j + v, c]                                    (conv.2)
    Z = P W + 1 b^T                                                             (conv.3)

That is the dense layer of (12) with P for X^T, so (15) and (16) give, summed over all windows,

    dW = P^T dZ                                                                 (conv.4)
    db = dZ^T 1                                                                 (conv.5)

For x~, collect from (conv.1) every output to which a pixel (h, w) contributes. It contributes to
output (i, j) through kernel entry (u, v) exactly when h = s i + u and w = s j + v:

    dx~[n,h,w,c] = sum_{i,j,u,v,k: h = s i + u, w = s j + v} dz[n,i,j,k] w[u,v,c,k]   (conv.6)

The condition is the non-obvious step. Let dz^ be dz with s - 1 zeros between neighbours and pads
of KH - 1, KW - 1 zeros: dz^[KH-1 + s i, KW-1 + s j] = dz[i, j], and zero elsewhere. With
u' = KH-1-u and v' = KW-1-v the entry at (h + u', w + v') is dz[i, j] when the condition holds, and
zero otherwise. The condition is gone, and (conv.6) is (conv.1) again with stride 1, applied to dz^
with the kernel rotated by 180 degrees and its two channel axes swapped:

    dx~[n,h,w,c] = sum_{u',v',k} dz^[n, h+u', w+v', k] w[KH-1-u', KW-1-v', c, k]      (conv.7)

With p rows and q columns of zeros before x, the pixels of x start at (p, q) of x~:

    dx[n,h,w,c] = dx~[n, h+p, w+q, c]                                           (conv.8)

so only the windows of dz^ from (p, q) onwards are formed: dz^ has KH-1-p zeros before it (rows are
cropped where that is negative), and after it the number that the last pixel's window needs.

As written here, patches are concatenated slices, and (conv.3), (conv.4), (conv.7) are matrix
products. ``fast/_choice.py`` decides where another form of the same equations is used. The
residuals are x and w: P is KH KW times as large as x, and cheaper to rebuild than to store.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ffnn_jax.layers._arguments import (
    accumulation_dtype,
    cast_to_compute,
    custom_vjp_with_static,
    product,
    require,
    require_parameters,
    upcast,
)
from ffnn_jax.layers._geometry import NO_PADS, Padding, Pads, pads_of, pads_of_dz, require_windows
from ffnn_jax.layers._patches import as_matrix, padded, patches, rotated_180
from ffnn_jax.layers.fast import ConvForm, convolve, convolve_backward

__all__ = ["conv2d", "conv2d_backward", "conv2d_forward"]

ConvResiduals = tuple[Float[Array, "N H W C_in"], Float[Array, "KH KW C_in C_out"]]


def conv2d_forward(
    x: Float[Array, "N H W C_in"],
    w: Float[Array, "KH KW C_in C_out"],
    b: Float[Array, " C_out"],
    padding: Padding = "SAME",
    stride: int = 1,
) -> tuple[Float[Array, "N H_out W_out C_out"], ConvResiduals]:
    """Returns z and the residuals (x, w)."""
    _require_shapes(x, w, b, padding, stride)
    pads = pads_of(x.shape, w.shape, padding, stride)
    z = convolve(_IM2COL, x, cast_to_compute(w, x), pads, stride)
    return (z + upcast(b)[None, None, None, :]).astype(x.dtype), (x, w)  # (conv.1)


@custom_vjp_with_static(3, 4)
def conv2d(
    x: Float[Array, "N H W C_in"],
    w: Float[Array, "KH KW C_in C_out"],
    b: Float[Array, " C_out"],
    padding: Padding = "SAME",
    stride: int = 1,
) -> Float[Array, "N H_out W_out C_out"]:
    """Two-dimensional convolution (cross-correlation) with a bias.

    Args:
        x: images, batch first, channels last.
        w: kernels, in x's dtype, or float32 if x is narrower.
        b: biases, one per output channel, in w's dtype.
        padding: number of rows and columns of zeros on each side; or "SAME" for an output of
            ceil(H / stride) by ceil(W / stride), with any odd zero placed after, as in XLA; or
            "VALID" for none.
        stride: step between windows in pixels, in both directions.

    Returns:
        z, equation (conv.1), in x's dtype.

    Raises:
        ValueError: shapes or dtypes do not match, x is not floating-point, the kernel is larger
            than the padded image, or padding or stride is out of range.
    """
    return conv2d_forward(x, w, b, padding, stride)[0]


def conv2d_backward(
    padding: Padding, stride: int, residuals: ConvResiduals, dz: Float[Array, "N H_out W_out C_out"]
) -> tuple[Float[Array, "N H W C_in"], Float[Array, "KH KW C_in C_out"], Float[Array, " C_out"]]:
    """Returns (dx, dw, db), equations (conv.8), (conv.4) and (conv.5)."""
    x, w = residuals
    pads = pads_of(x.shape, w.shape, padding, stride)
    dx, dw = convolve_backward(_IM2COL, x, cast_to_compute(w, x), dz, pads, stride)
    db = jnp.sum(dz, axis=(0, 1, 2), dtype=accumulation_dtype(dz))  # (conv.5)
    return dx.astype(x.dtype), dw.astype(w.dtype), db.astype(w.dtype)


def _im2col(x: Array, w: Array, pads: Pads, stride: int) -> Array:
    """The product of (conv.3), without b."""
    p = patches(padded(x, pads), w.shape[:2], (stride, stride))  # (conv.2)
    return product(as_matrix(p), _matrix(w)).reshape(*p.shape[:3], w.shape[3])  # (conv.3)


def _im2col_backward(x: Array, w: Array, dz: Array, pads: Pads, stride: int) -> tuple[Array, Array]:
    """Returns (dx, dw)."""
    p = patches(padded(x, pads), w.shape[:2], (stride, stride))  # (conv.2)
    dw = product(as_matrix(p).T, as_matrix(dz)).reshape(w.shape)  # (conv.4)
    dz_pads = pads_of_dz(dz.shape, x.shape, w.shape, pads, stride)
    dz_hat = padded(dz, dz_pads, stride)
    return _im2col(dz_hat, rotated_180(w), NO_PADS, 1), dw  # (conv.7), (conv.8)


def _matrix(w: Array) -> Array:
    """(KH, KW, C_in, C_out) as the matrix (KH KW C_in, C_out)."""
    return w.reshape(w.shape[0] * w.shape[1] * w.shape[2], w.shape[3])


def _require_shapes(x: Array, w: Array, b: Array, padding: Padding, stride: int) -> None:
    name = "conv2d"
    require_parameters(name, x, w=w, b=b)
    require(w.ndim == 4 and w.size > 0, name, "w", "of shape (KH, KW, C_in, C_out)", w.shape)
    fits = x.ndim == 4 and x.shape[3] == w.shape[2]
    require(fits, name, "x", f"of shape (N, H, W, {w.shape[2]})", x.shape)
    require(b.shape == w.shape[3:], name, "b", f"of shape {w.shape[3:]}", b.shape)
    require_windows(name, x.shape, w.shape, padding, stride)


_IM2COL = ConvForm("im2col", _im2col, _im2col_backward)

conv2d.defvjp(conv2d_forward, conv2d_backward)
