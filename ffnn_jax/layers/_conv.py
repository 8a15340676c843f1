"""Two-dimensional convolution: equations (conv.1)-(conv.12).

Images x (N, H, W, C_in), kernels w (KH, KW, C_in, C_out), bias b (C_out). As in the report and in
every deep-learning library the kernel is not flipped: this is a cross-correlation. With x~ the
zero-padded image, s the stride and d the dilation, the step between the pixels of a window,

    z[n,i,j,k] = b[k] + sum_{u,v,c} x~[n, s i + d u, s j + d v, c] w[u,v,c,k]   (conv.1)

Write the window under output (i, j), a patch of the image, as one row of a matrix P. This layout
is known as im2col; P has one row per (n, i, j):

    P[nij, uvc] = x~[n, s i + d u, s j + d v, c]                                (conv.2)
    Z = P W + 1 b^T                                                             (conv.3)

That is the dense layer of (12) with P for X^T, so (15) and (16) give, summed over all windows,

    dW = P^T dZ                                                                 (conv.4)
    db = dZ^T 1                                                                 (conv.5)

For x~, collect from (conv.1) every output to which a pixel (h, w) contributes. It contributes to
output (i, j) through kernel entry (u, v) exactly when h = s i + d u and w = s j + d v:

    dx~[n,h,w,c] = sum_{i,j,u,v,k: h = s i + d u, w = s j + d v} dz[n,i,j,k] w[u,v,c,k]   (conv.6)

The condition is the non-obvious step. Let dz^ be dz with s - 1 zeros between neighbours and pads
of d (KH-1), d (KW-1) zeros: dz^[d (KH-1) + s i, d (KW-1) + s j] = dz[i, j], and zero elsewhere.
With u' = KH-1-u and v' = KW-1-v the entry at (h + d u', w + d v') is dz[i, j] when the condition
holds, and zero otherwise. The condition is gone, and (conv.6) is (conv.1) again with stride 1,
applied to dz^ with the kernel rotated by 180 degrees and its two channel axes swapped:

    dx~[n,h,w,c] = sum_{u',v',k} dz^[n, h + d u', w + d v', k] w[KH-1-u', KW-1-v', c, k]  (conv.7)

With p rows and q columns of zeros before x, the pixels of x start at (p, q) of x~:

    dx[n,h,w,c] = dx~[n, h+p, w+q, c]                                           (conv.8)

so only the windows of dz^ from (p, q) onwards are formed: dz^ has d (KH-1) - p zeros before it
(rows are cropped where that is negative), and after it what the last pixel's window needs.

With a stride, most of dz^ is zeros. Then (14) gives the cotangent of P first, and every entry of P
is one pixel, so that the sum of (conv.6) adds its entries where windows overlap:

    dP = dZ W^T                                                                 (conv.9)
    dx~[n,h,w,c] = sum_{i,j,u,v: h = s i + d u, w = s j + d v} dP[nij, uvc]     (conv.10)

Groups split the input and the output channels into G equal parts, and an output sees the inputs of
its own part alone: w has C_in / G inputs, and

    z_g = conv2d(x_g, w_g, b_g),   g = 1 ... G                                  (conv.11)

Each gradient is that of its own group. With G = C_in the convolution is called depthwise.

Without b, z is linear in x and in w. Each of the three sums is the other two's adjoint: for any
x, w and y in the shape of z, writing F, D and K for (conv.1), (conv.6) and (conv.4),

    <y, F(x, w)> = <D(y, w), x> = <K(x, y), w>                                  (conv.12)

In (conv.12), the transposed convolution is D, with F and K as its gradients.

As written here, patches are concatenated slices; (conv.4), (conv.7) and (conv.9) are matrix
products, as (conv.3) is. ``fast/_choice.py`` decides where another form of the same equations is
used. The residuals are x and w: P is KH KW times as large as x, and cheaper to rebuild than to
store.
"""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from ffnn_jax.layers._arguments import (
    accumulation_dtype,
    cast_to_compute,
    custom_vjp_with_static,
    is_integer,
    product,
    require,
    require_parameters,
    upcast,
)
from ffnn_jax.layers._geometry import Padding, Shape, Windows, pads_of, pads_of_dz, require_windows
from ffnn_jax.layers._patches import overlap_added, padded, patches, rotated_180
from ffnn_jax.layers.fast import ConvForm, by_platform, form_on_cpu

__all__ = ["conv2d", "conv2d_backward", "conv2d_forward"]

ConvResiduals = tuple[Float[Array, "N H W C_in"], Float[Array, "KH KW C_in/G C_out"]]


def conv2d_forward(
    x: Float[Array, "N H W C_in"],
    w: Float[Array, "KH KW C_in/G C_out"],
    b: Float[Array, " C_out"],
    padding: Padding = "SAME",
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
) -> tuple[Float[Array, "N H_out W_out C_out"], ConvResiduals]:
    """Returns z and the residuals (x, w)."""
    require_shapes("conv2d", x, w, b, groups)
    require_windows("conv2d", x.shape, w.shape, padding, stride, dilation)
    windows = _windows(x.shape, w.shape, padding, stride, dilation, groups)
    form = form_on_cpu(IM2COL, x, w, windows)
    forward = lambda form, x, w: form.forward(x, w, windows)  # noqa: E731
    z = by_platform(form, IM2COL, forward, x, cast_to_compute(w, x))
    return (z + upcast(b)[None, None, None, :]).astype(x.dtype), (x, w)  # (conv.1)


@custom_vjp_with_static(3, 4, 5, 6)
def conv2d(
    x: Float[Array, "N H W C_in"],
    w: Float[Array, "KH KW C_in/G C_out"],
    b: Float[Array, " C_out"],
    padding: Padding = "SAME",
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
) -> Float[Array, "N H_out W_out C_out"]:
    """Two-dimensional convolution (cross-correlation) with a bias.

    Args:
        x: images, batch first, channels last.
        w: kernels, in x's dtype, or float32 if x is narrower.
        b: biases, one per output channel, in w's dtype.
        padding: number of rows and columns of zeros on each side, or ((top, bottom), (left,
            right)); or "SAME" for an output of ceil(H / stride) by ceil(W / stride), with any odd
            zero placed after, as in XLA; or "VALID" for none.
        stride: step between windows in pixels, in both directions.
        dilation: step between the pixels of a window, in both directions.
        groups: G, which divides C_in and C_out; C_in for a depthwise convolution.

    Returns:
        z, equation (conv.1), in x's dtype.

    Raises:
        ValueError: shapes or dtypes do not match, x is not floating-point, the kernel is larger
            than the padded image, or a setting is out of range.
    """
    return conv2d_forward(x, w, b, padding, stride, dilation, groups)[0]


def conv2d_backward(
    padding: Padding,
    stride: int,
    dilation: int,
    groups: int,
    residuals: ConvResiduals,
    dz: Float[Array, "N H_out W_out C_out"],
) -> tuple[Float[Array, "N H W C_in"], Float[Array, "KH KW C_in/G C_out"], Float[Array, " C_out"]]:
    """Returns (dx, dw, db), equations (conv.8), (conv.4) and (conv.5)."""
    x, w = residuals
    windows = _windows(x.shape, w.shape, padding, stride, dilation, groups)

    def gradients(form: ConvForm, x: Array, w: Array, dz: Array) -> tuple[Array, Array]:
        dw = form.kernels(x, dz, w.shape[:2], windows)  # (conv.4)
        return form.images(dz, w, x.shape[1:3], windows), dw  # (conv.8)

    form = form_on_cpu(IM2COL, x, w, windows)
    dx, dw = by_platform(form, IM2COL, gradients, x, cast_to_compute(w, x), dz)
    db = jnp.sum(dz, axis=(0, 1, 2), dtype=accumulation_dtype(dz))  # (conv.5)
    return dx.astype(x.dtype), dw.astype(w.dtype), db.astype(w.dtype)


def require_shapes(function: str, x: Array, w: Array, b: Array, groups: int = 1) -> None:
    """Raises ValueError unless images, kernels, biases and groups fit together."""
    require_parameters(function, x, w=w, b=b)
    line = function == "conv1d"
    kernel, image, axes = ("KL", "L", 3) if line else ("KH, KW", "H, W", 4)
    expected = f"of shape ({kernel}, C_in, C_out)"
    require(w.ndim == axes and w.size > 0, function, "w", expected, w.shape)
    require(is_integer(groups, 1), function, "groups", "an integer of at least 1", repr(groups))
    divides = w.shape[-1] % groups == 0
    require(divides, function, "groups", f"a divisor of C_out = {w.shape[-1]}", groups)
    inputs = groups * w.shape[-2]
    fits = x.ndim == axes and x.shape[-1] == inputs
    require(fits, function, "x", f"of shape (N, {image}, {inputs})", x.shape)
    require(b.shape == w.shape[-1:], function, "b", f"of shape {w.shape[-1:]}", b.shape)


def _windows(
    x: Shape, w: Shape, padding: Padding, stride: int, dilation: int, groups: int
) -> Windows:
    return Windows(pads_of(x, w, padding, stride, dilation), stride, dilation, groups)


def _im2col(x: Array, w: Array, windows: Windows) -> Array:
    """The product of (conv.3), without b."""
    p = _patches(x, w.shape[:2], windows)  # (conv.2)
    z = _product(_by_group(p, windows.groups, x.shape[3]), _matrix(w, windows.groups))  # (conv.3)
    return z.swapaxes(0, 1).reshape(*p.shape[:3], w.shape[3])


def _im2col_images(dz: Array, w: Array, size: Shape, windows: Windows) -> Array:
    """Returns dx for images of this height and width."""
    pads, stride, dilation, groups = windows
    if stride == 1:
        dz_pads = pads_of_dz(dz.shape, w.shape, size, windows)
        rotated = rotated_180(w, groups)
        return _im2col(dz, rotated, Windows(dz_pads, 1, dilation, groups))  # (conv.7), (conv.8)
    dz_rows, w_t = _by_group(dz, groups, dz.shape[3]), _matrix(w, groups).swapaxes(1, 2)
    dp = _product(dz_rows, w_t).reshape(groups, *dz.shape[:3], *w.shape[:3])  # (conv.9)
    dp = jnp.moveaxis(dp, 0, 5).reshape(*dz.shape[:3], *w.shape[:2], groups * w.shape[2])
    starts = -pads[0][0], -pads[1][0]
    return overlap_added(dp, size, starts, stride, dilation)  # (conv.10), (conv.8)


def _im2col_kernels(x: Array, dz: Array, size: Shape, windows: Windows) -> Array:
    """Returns dw for kernels of this height and width."""
    groups, outputs = windows.groups, dz.shape[3]
    p = _by_group(_patches(x, size, windows), groups, x.shape[3])  # (conv.2)
    dw_t = _product(_by_group(dz, groups, outputs).swapaxes(1, 2), p)  # (conv.4), transposed
    return jnp.moveaxis(dw_t.reshape(outputs, *size, x.shape[3] // groups), 0, 3)


def _patches(x: Array, size: Shape, windows: Windows) -> Array:
    pads, stride, dilation, _ = windows
    return patches(padded(x, pads), size, (stride, stride), dilation)


def _by_group(rows: Array, groups: int, channels: int) -> Array:
    """One matrix per group: a row per position, with the group's part of all its channels."""
    count, length = math.prod(rows.shape[:3]), rows.shape[3]
    split = rows.reshape(count, length // channels, groups, channels // groups)
    return jnp.moveaxis(split, 2, 0).reshape(groups, count, length // groups)


def _matrix(w: Array, groups: int) -> Array:
    """(KH, KW, C_in/G, C_out) as one matrix (KH KW C_in/G, C_out/G) per group."""
    height, width, inputs, outputs = w.shape
    split = w.reshape(height * width * inputs, groups, outputs // groups)
    return jnp.moveaxis(split, 1, 0)


def _product(a: Array, b: Array) -> Array:
    """The matrix product of every group."""
    return product(a, b) if len(a) > 1 else product(a[0], b[0])[None]


IM2COL = ConvForm("im2col", _im2col, _im2col_images, _im2col_kernels)

conv2d.defvjp(conv2d_forward, conv2d_backward)
