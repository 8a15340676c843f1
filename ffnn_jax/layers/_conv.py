"""Two-dimensional convolution: equations (conv.1)-(conv.8).

Images x (N, H, W, C_in), kernels w (KH, KW, C_in, C_out), bias b (C_out). As in the report and in
every deep-learning library the kernel is not flipped: this is a cross-correlation. With x~ the
image with zeros around it and s the stride,

    z[n,i,j,k] = b[k] + sum_{u,v,c} x~[n, s i + u, s j + v, c] w[u,v,c,k]       (conv.1)

Write the window under output (i, j) as one row of a matrix P, a row for each (n, i, j):

    P[nij, uvc] = x~[n, s i + u, s j + v, c]                                    (conv.2)
    Z = P W + 1 b^T                                                             (conv.3)

That is the dense layer of (12) with P for X^T, so (15) and (16) give, summed over every window,

    dW = P^T dZ                                                                 (conv.4)
    db = dZ^T 1                                                                 (conv.5)

For x~, collect from (conv.1) every output that a pixel (h, w) enters. It enters output (i, j)
under kernel entry (u, v) exactly when h = s i + u and w = s j + v:

    dx~[n,h,w,c] = sum_{i,j,u,v,k: h = s i + u, w = s j + v} dz[n,i,j,k] w[u,v,c,k]   (conv.6)

The condition is the step that is not obvious. Let dz^ be dz with s - 1 zeros between neighbours
and KH - 1, KW - 1 zeros around: dz^[KH-1 + s i, KW-1 + s j] = dz[i, j], and zero elsewhere. With
u' = KH-1-u and v' = KW-1-v the entry at (h + u', w + v') is dz[i, j] when the condition holds, and
zero otherwise. The condition is gone, and (conv.6) is (conv.1) again with stride 1, of dz^ with
the kernel turned by half a turn and its two channel axes exchanged:

    dx~[n,h,w,c] = sum_{u',v',k} dz^[n, h+u', w+v', k] w[KH-1-u', KW-1-v', c, k]      (conv.7)

With p rows and q columns of zeros before x, its own pixels begin there:

    dx[n,h,w,c] = dx~[n, h+p, w+q, c]                                           (conv.8)

so only windows of dz^ from (p, q) on are formed: dz^ is made with KH-1-p zeros before it (rows are
cut off where that is negative), and after it as many as the last pixel's window needs.

As written here, windows are slices put side by side, and (conv.3), (conv.4), (conv.7) are matrix
products. A CPU takes whole rows instead where that is lighter (``fast/_row_conv.py``), or two
windows at a time where outputs are pairs (``fast/_pair_conv.py``); a GPU and a TPU take their own
convolutions (``fast/_native_conv.py``): decided when a program is lowered. The residuals are x and
w: P is KH KW times as large as x, and cheaper to build again than to keep.
"""

import functools
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ffnn_jax.layers._arguments import (
    accumulator,
    custom_vjp_with_static,
    is_whole,
    product,
    require,
    require_floating,
    widened,
)
from ffnn_jax.layers._windows import Margins, matrix_of, padded, windows
from ffnn_jax.layers.fast import (
    native_conv2d,
    native_conv2d_images,
    native_conv2d_kernels,
    pair_conv2d,
    pair_conv2d_kernels,
    pairs_fit,
    row_conv2d,
    row_conv2d_backward,
    rows_are_lighter,
)

__all__ = ["conv2d", "conv2d_backward", "conv2d_forward"]

_Out = TypeVar("_Out")
_NO_MARGINS = ((0, 0), (0, 0))
Padding = int | Literal["SAME", "VALID"]
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
    around = _around(x, w, padding, stride)
    forms = _form_on_cpu(x, w, around, stride).forward, _NATIVE.forward
    z = _by_platform(*forms, around, stride)(x, w)
    return (z + widened(b)[None, None, None, :]).astype(x.dtype), (x, w)  # (conv.1)


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
        w: kernels.
        b: biases, one for each output channel.
        padding: rows and columns of zeros on every side; or "SAME" for an output of
            ceil(H / stride) by ceil(W / stride), the odd zero going after, as in XLA; or
            "VALID" for none.
        stride: step between windows, in pixels, both ways.

    Returns:
        z, equation (conv.1).

    Raises:
        ValueError: shapes do not fit, the kernel is larger than the padded image, dtypes differ
            or are not floating-point, or padding or stride is out of range.
    """
    return conv2d_forward(x, w, b, padding, stride)[0]


def conv2d_backward(
    padding: Padding,
    stride: int,
    residuals: ConvResiduals,
    dz: Float[Array, "N H_out W_out C_out"],
) -> tuple[Float[Array, "N H W C_in"], Float[Array, "KH KW C_in C_out"], Float[Array, " C_out"]]:
    """Returns (dx, dw, db), equations (conv.8), (conv.4) and (conv.5)."""
    x, w = residuals
    around = _around(x, w, padding, stride)
    forms = _form_on_cpu(x, w, around, stride).backward, _NATIVE.backward
    dx, dw = _by_platform(*forms, around, stride)(x, w, dz)
    db = jnp.sum(dz, axis=(0, 1, 2), dtype=accumulator(dz))  # (conv.5)
    return dx.astype(x.dtype), dw.astype(w.dtype), db.astype(dz.dtype)


class _Form(NamedTuple):
    """A way to convolve: forward(x, w, around, stride), backward(x, w, dz, around, stride)."""

    forward: Callable[..., Array]
    backward: Callable[..., tuple[Array, Array]]


def _form_on_cpu(x: Array, w: Array, around: Margins, stride: int) -> _Form:
    """The way that a CPU takes, by shapes."""
    if rows_are_lighter(w.shape):
        return _ROWS
    columns = (x.shape[2] + sum(around[1]) - w.shape[1]) // stride + 1
    return _PAIRS if pairs_fit(columns, w.shape, stride) else _WINDOWS


def _by_platform(
    cpu: Callable[..., _Out], default: Callable[..., _Out], around: Margins, stride: int
) -> Callable[..., _Out]:
    """One of two functions, when a program is lowered for a platform."""
    static = {"around": around, "stride": stride}
    ways = {
        "cpu": functools.partial(cpu, **static),
        "default": functools.partial(default, **static),
    }
    return functools.partial(jax.lax.platform_dependent, **ways)


def _by_windows(x: Array, w: Array, around: Margins, stride: int) -> Array:
    """The product of (conv.3), without b."""
    p = windows(padded(x, around), w.shape[:2], (stride, stride))  # (conv.2)
    return product(matrix_of(p), _matrix(w)).reshape(*p.shape[:3], w.shape[3])  # (conv.3)


def _by_windows_backward(
    x: Array, w: Array, dz: Array, around: Margins, stride: int
) -> tuple[Array, Array]:
    """Returns (dx, dw)."""
    p = windows(padded(x, around), w.shape[:2], (stride, stride))  # (conv.2)
    dw = product(matrix_of(p).T, matrix_of(dz)).reshape(w.shape)  # (conv.4)
    dz_hat = padded(dz, _around_dz(dz, x, w, around, stride), stride)
    return _by_windows(dz_hat, _turned(w), _NO_MARGINS, 1), dw  # (conv.7), (conv.8)


def _by_pairs(x: Array, w: Array, around: Margins, stride: int) -> Array:
    """Of stride 1."""
    return pair_conv2d(x, w, around)


def _by_pairs_backward(
    x: Array, w: Array, dz: Array, around: Margins, stride: int
) -> tuple[Array, Array]:
    """Returns (dx, dw); dx by any way that its own shapes allow."""
    dw = pair_conv2d_kernels(x, dz, w.shape[:2], around)  # (conv.4)
    around_dz, turned = _around_dz(dz, x, w, around, 1), _turned(w)
    convolve = _form_on_cpu(dz, turned, around_dz, 1).forward
    return convolve(dz, turned, around_dz, 1), dw  # (conv.7), (conv.8)


def _natively_backward(
    x: Array, w: Array, dz: Array, around: Margins, stride: int
) -> tuple[Array, Array]:
    """Returns (dx, dw)."""
    dw = native_conv2d_kernels(x, dz, (w.shape[0], w.shape[1]), around, stride)  # (conv.4)
    around_dz = _around_dz(dz, x, w, around, stride)
    return native_conv2d_images(dz, _turned(w), around_dz, stride), dw  # (conv.7), (conv.8)


def _turned(w: Array) -> Array:
    """The kernel of (conv.7): turned by half a turn, its channel axes exchanged."""
    return jnp.flip(w, (0, 1)).swapaxes(2, 3)


def _matrix(w: Array) -> Array:
    """(KH, KW, C_in, C_out) as the matrix (KH KW C_in, C_out)."""
    return w.reshape(w.shape[0] * w.shape[1] * w.shape[2], w.shape[3])


def _margins(size: int, kernel: int, padding: Padding, stride: int) -> tuple[int, int]:
    """Zeros before and after one axis of the image."""
    if padding == "VALID":
        return 0, 0
    if padding == "SAME":
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        return total // 2, total - total // 2
    return padding, padding


def _around(x: Array, w: Array, padding: Padding, stride: int) -> Margins:
    """The zeros around x that make it x~."""
    rows, columns = (_margins(x.shape[axis], w.shape[axis - 1], padding, stride) for axis in (1, 2))
    return rows, columns


def _around_dz(dz: Array, x: Array, w: Array, around: Margins, stride: int) -> Margins:
    """The zeros around dz^ of (conv.7), from (p, q) of (conv.8) on: windows of x's own pixels."""

    def of(axis: int) -> tuple[int, int]:
        size, kernel, outputs = x.shape[axis], w.shape[axis - 1], dz.shape[axis]
        before = kernel - 1 - around[axis - 1][0]
        return before, size + kernel - 1 - before - (stride * (outputs - 1) + 1)

    return of(1), of(2)


def _require_shapes(x: Array, w: Array, b: Array, padding: Padding, stride: int) -> None:
    name = "conv2d"
    require_floating(name, x=x, w=w, b=b)
    require(w.ndim == 4 and w.size > 0, name, "w", "of shape (KH, KW, C_in, C_out)", w.shape)
    fits = x.ndim == 4 and x.shape[3] == w.shape[2]
    require(fits, name, "x", f"of shape (N, H, W, {w.shape[2]})", x.shape)
    require(b.shape == w.shape[3:], name, "b", f"of shape {w.shape[3:]}", b.shape)
    require(is_whole(stride, 1), name, "stride", "a whole number of at least 1", repr(stride))
    known = padding in ("SAME", "VALID") or is_whole(padding, 0)
    require(known, name, "padding", '"SAME", "VALID" or at least 0', repr(padding))
    for axis in (1, 2):
        size = x.shape[axis] + sum(_margins(x.shape[axis], w.shape[axis - 1], padding, stride))
        inside = 1 <= w.shape[axis - 1] <= size
        require(inside, name, "w", f"no larger than the padded image ({size})", w.shape)


_ROWS = _Form(row_conv2d, row_conv2d_backward)
_PAIRS = _Form(_by_pairs, _by_pairs_backward)
_WINDOWS = _Form(_by_windows, _by_windows_backward)
_NATIVE = _Form(native_conv2d, _natively_backward)

conv2d.defvjp(conv2d_forward, conv2d_backward)
