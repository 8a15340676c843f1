"""Root-mean-square normalisation: equations (rms.1)-(rms.8).

x has N rows of C entries: all axes but the last index rows. This is layer normalisation without a
mean and without a shift: a row is divided by the root of the mean of its squares. The row's index n
is omitted where there is no sum over it.

    square = 1/C sum_c x_c^2                                                    (rms.1)
    rrms   = 1 / sqrt(square + eps)                                             (rms.2)
    x^_c   = x_c rrms                                                           (rms.3)
    z_c    = scale_c x^_c                                                       (rms.4)

rrms is the reciprocal of the root mean square.

All rows share scale:

    dscale_c = sum_n dz_nc x^_nc                                                (rms.5)

Each entry has its own scale, so the sum below is over the cotangent of x^:

    dx^_c = scale_c dz_c                                                        (rms.6)

x_c occurs in x^_c itself, and in every x^_k through rrms. The derivative of (rms.2) is -rrms^3 / 2
and that of (rms.1) is 2 x_c / C; so that of rrms is -rrms^3 x_c / C, and

    dx^_k/dx_c = rrms (delta_kc - x^_k x^_c / C)                                (rms.7)

    dx_c = sum_k dx^_k dx^_k/dx_c = rrms (dx^_c - x^_c 1/C sum_k dx^_k x^_k)    (rms.8)

By (layer.10), layer normalisation has one term more, the mean of dx^: here a constant added to x
does change z, so the mean of dx^ must stay; where a row's mean is 0, z is that of layer
normalisation with shift 0, but dx is not: layer normalisation removes the mean of dx, too.

Conventions: the squares are summed in at least float32; eps is inside the root. Its default is that
of layer normalisation, 1e-5; Flax's is 1e-6. z is scale x^: Gemma's models multiply by 1 + scale
instead. A row of zeros has z = 0 and dx = dx^ / sqrt(eps).

The residuals are x, an rrms for each row, and scale: x^ is cheaper to recompute than to store.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from ffnn_jax.layers._arguments import custom_vjp_with_static, require, upcast
from ffnn_jax.layers._rows import require_channels, require_eps, rows_of

__all__ = ["rms_norm", "rms_norm_backward", "rms_norm_forward"]

Rows = Float[Array, "... C"]
Channels = Float[Array, " C"]


class RMSNormResiduals(NamedTuple):
    """Residuals of the backward pass; only x itself has x's size."""

    x: Rows
    rrms: Float[Array, " N"]
    scale: Channels


def rms_norm_forward(x: Rows, scale: Channels, eps: float = 1e-5) -> tuple[Rows, RMSNormResiduals]:
    """Returns z and the residuals."""
    require_channels("rms_norm", x, 1, scale=scale)
    require(x.shape[-1] > 0, "rms_norm", "x", "of rows with at least one entry", x.shape)
    require_eps("rms_norm", x, eps)
    rows = upcast(rows_of(x))
    square = jnp.mean(rows**2, axis=1)  # (rms.1)
    rrms = 1 / jnp.sqrt(square + float(eps))  # (rms.2)
    x_hat = rows * rrms[:, None]  # (rms.3)
    z = upcast(scale)[None, :] * x_hat  # (rms.4)
    return z.reshape(x.shape).astype(x.dtype), RMSNormResiduals(x, rrms, scale)


@custom_vjp_with_static(2)
def rms_norm(x: Rows, scale: Channels, eps: float = 1e-5) -> Rows:
    """Divides each row by its root mean square: z = scale x / sqrt(mean(x^2) + eps).

    Args:
        x: rows of C entries, at least one; all axes but the last index rows.
        scale: scale of each entry, in x's dtype, or float32 if x is narrower.
        eps: number added to the mean of the squares, above 0.

    Returns:
        z, equation (rms.4), in x's shape and dtype. A row of z depends on its own row of x alone.

    Raises:
        ValueError: shapes or dtypes do not match, x is not floating-point, or eps is out of range.
    """
    return rms_norm_forward(x, scale, eps)[0]


def rms_norm_backward(eps: float, residuals: RMSNormResiduals, dz: Rows) -> tuple[Rows, Channels]:
    """Returns (dx, dscale), equations (rms.8) and (rms.5)."""
    x, rrms, scale = residuals
    dz_rows = upcast(rows_of(dz))
    x_hat = upcast(rows_of(x)) * rrms[:, None]  # (rms.3)
    dscale = jnp.sum(dz_rows * x_hat, axis=0)  # (rms.5)
    dx_hat = upcast(scale)[None, :] * dz_rows  # (rms.6)
    along_x_hat = x_hat * jnp.mean(dx_hat * x_hat, axis=1)[:, None]
    dx = rrms[:, None] * (dx_hat - along_x_hat)  # (rms.8)
    return dx.reshape(x.shape).astype(x.dtype), dscale.astype(scale.dtype)


rms_norm.defvjp(rms_norm_forward, rms_norm_backward)
