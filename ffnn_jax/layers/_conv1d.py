"""One-dimensional convolution: equations (line.1)-(line.4).

Sequences x (N, L, C_in), kernels w (KL, C_in, C_out), bias b (C_out):

    z[n,j,k] = b[k] + sum_{v,c} x~[n, s j + d v, c] w[v,c,k]                    (line.1)

A sequence is an image with one row, whose kernel has one row. In (conv.1) u takes the value 0
alone, and without pads above and below so does i. The other equations lose the same indices:

    dw[v,c,k] = sum_{n,j} x~[n, s j + d v, c] dz[n,j,k]                         (line.2)
    db[k] = sum_{n,j} dz[n,j,k]                                                 (line.3)
    dx~[n,l,c] = sum_{j,v,k: l = s j + d v} dz[n,j,k] w[v,c,k]                  (line.4)

and nothing is left to derive, nor to compute but the added row.

The residuals are x and w.
"""

from jaxtyping import Array, Float

from ffnn_jax.layers._arguments import custom_vjp_with_static
from ffnn_jax.layers._conv import conv2d_backward, conv2d_forward, require_shapes
from ffnn_jax.layers._geometry import PaddingAlong, Pads, pads_along, require_windows

__all__ = ["conv1d", "conv1d_backward", "conv1d_forward"]

Conv1dResiduals = tuple[Float[Array, "N L C_in"], Float[Array, "KL C_in/G C_out"]]


def conv1d_forward(
    x: Float[Array, "N L C_in"],
    w: Float[Array, "KL C_in/G C_out"],
    b: Float[Array, " C_out"],
    padding: PaddingAlong = "SAME",
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
) -> tuple[Float[Array, "N L_out C_out"], Conv1dResiduals]:
    """Returns z and the residuals (x, w)."""
    require_shapes("conv1d", x, w, b, groups)
    require_windows("conv1d", x.shape, w.shape, padding, stride, dilation)
    pads = _pads(x, w, padding, stride, dilation)
    z, _ = conv2d_forward(x[:, None], w[None], b, pads, stride, dilation, groups)  # (line.1)
    return z[:, 0], (x, w)


@custom_vjp_with_static(3, 4, 5, 6)
def conv1d(
    x: Float[Array, "N L C_in"],
    w: Float[Array, "KL C_in/G C_out"],
    b: Float[Array, " C_out"],
    padding: PaddingAlong = "SAME",
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
) -> Float[Array, "N L_out C_out"]:
    """One-dimensional convolution (cross-correlation) with a bias.

    Args:
        x: sequences, batch first, channels last.
        w: kernels, in x's dtype, or float32 if x is narrower.
        b: biases, one per output channel, in w's dtype.
        padding: number of zeros at each end; or "SAME" for ceil(L / stride) outputs, with any odd
            zero placed after, as in XLA; or "VALID" for none.
        stride: step between windows.
        dilation: step between the entries of a window.
        groups: G, which divides C_in and C_out; C_in for a depthwise convolution.

    Returns:
        z, equation (line.1), in x's dtype.

    Raises:
        ValueError: shapes or dtypes do not match, x is not floating-point, the kernel is longer
            than the padded sequence, or a setting is out of range.
    """
    return conv1d_forward(x, w, b, padding, stride, dilation, groups)[0]


def conv1d_backward(
    padding: PaddingAlong,
    stride: int,
    dilation: int,
    groups: int,
    residuals: Conv1dResiduals,
    dz: Float[Array, "N L_out C_out"],
) -> tuple[Float[Array, "N L C_in"], Float[Array, "KL C_in/G C_out"], Float[Array, " C_out"]]:
    """Returns (dx, dw, db), equations (line.4), (line.2) and (line.3)."""
    x, w = residuals
    pads = _pads(x, w, padding, stride, dilation)
    image = x[:, None], w[None]
    dx, dw, db = conv2d_backward(pads, stride, dilation, groups, image, dz[:, None])
    return dx[:, 0], dw[0], db  # (line.4), (line.2), (line.3)


def _pads(x: Array, w: Array, padding: PaddingAlong, stride: int, dilation: int) -> Pads:
    """No rows above and below the only one, and the zeros at the ends."""
    return (0, 0), pads_along(x.shape[1], w.shape[0], padding, stride, dilation)


conv1d.defvjp(conv1d_forward, conv1d_backward)
