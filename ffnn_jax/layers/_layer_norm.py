"""Layer normalisation: equations (layer.1)-(layer.12).

x has N rows of C entries: all axes but the last index rows. A row is normalised by its own mean and
variance, and the learned scale and shift belong to the entry, not to the row. Rows do not interact,
so the row's index n is omitted where there is no sum over it.

    mean     = 1/C sum_c x_c                                                    (layer.1)
    variance = 1/C sum_c (x_c - mean)^2                                         (layer.2)
    rstd     = 1 / sqrt(variance + eps)                                         (layer.3)
    x^_c     = (x_c - mean) rstd                                                (layer.4)
    z_c      = scale_c x^_c + shift_c                                           (layer.5)

All rows share scale and shift, whose cotangents are sums over the rows:

    dshift_c = sum_n dz_nc                                                      (layer.6)
    dscale_c = sum_n dz_nc x^_nc                                                (layer.7)

In batch normalisation the entries that share a mean share a scale, too, which (norm.15) takes out
of its sums. Here each of them has its own scale. So the sums are over the cotangent of x^,

    dx^_c = scale_c dz_c                                                        (layer.8)

and to take scale out of them is the classic mistake. x_c occurs in x^_c itself, and in every x^_k
through the mean and the variance. Their derivatives are those of (norm.11), 1/C and
2/C (x_c - mean). That of (layer.3) is -rstd^3 / 2, so the derivative of rstd is -rstd^2 x^_c / C:

    dx^_k/dx_c = rstd (delta_kc - 1/C - x^_k x^_c / C)                          (layer.9)

    dx_c = sum_k dx^_k dx^_k/dx_c
         = rstd (dx^_c - 1/C sum_k dx^_k - x^_c 1/C sum_k dx^_k x^_k)           (layer.10)

(In the last sum and in (layer.8) dx^ is a cotangent; in (layer.9) the fraction is a derivative.)
Since the x^_c sum to 0, and their squares to C variance rstd^2 = C (1 - eps rstd^2), the gradient
has no component along a constant, and nearly none along x^:

    sum_c dx_c      = 0                                                         (layer.11)
    sum_c dx_c x^_c = eps rstd^3 sum_c dx^_c x^_c                               (layer.12)

for z does not change when x becomes a x + b with a > 0, apart from the effect of eps.

Conventions: the variance is the biased one, over C, in two passes and in at least float32; eps is
inside the root. Its default is PyTorch's 1e-5; Flax's is 1e-6. A constant row has variance 0: its z
is shift, and (layer.10) holds with x^ = 0. With C = 1 every row is constant.

The residuals are x, a mean and rstd for each row, and scale: x^ is cheaper to recompute than to
store.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from ffnn_jax.layers._arguments import custom_vjp_with_static, require, upcast
from ffnn_jax.layers._rows import require_channels, require_eps, rows_of

__all__ = ["layer_norm", "layer_norm_backward", "layer_norm_forward"]

Rows = Float[Array, "... C"]
Channels = Float[Array, " C"]


class LayerNormResiduals(NamedTuple):
    """Residuals of the backward pass; only x itself has x's size."""

    x: Rows
    mean: Float[Array, " N"]
    rstd: Float[Array, " N"]
    scale: Channels


def layer_norm_forward(
    x: Rows, scale: Channels, shift: Channels, eps: float = 1e-5
) -> tuple[Rows, LayerNormResiduals]:
    """Returns z and the residuals."""
    require_channels("layer_norm", x, 1, scale=scale, shift=shift)
    require(x.shape[-1] > 0, "layer_norm", "x", "of rows with at least one entry", x.shape)
    require_eps("layer_norm", x, eps)
    mean = jnp.mean(upcast(rows_of(x)), axis=1)  # (layer.1)
    variance = jnp.mean(_centred(x, mean) ** 2, axis=1)  # (layer.2)
    rstd = 1 / jnp.sqrt(variance + float(eps))  # (layer.3)
    x_hat = _centred(x, mean) * rstd[:, None]  # (layer.4)
    z = upcast(scale)[None, :] * x_hat + upcast(shift)[None, :]  # (layer.5)
    return z.reshape(x.shape).astype(x.dtype), LayerNormResiduals(x, mean, rstd, scale)


@custom_vjp_with_static(3)
def layer_norm(x: Rows, scale: Channels, shift: Channels, eps: float = 1e-5) -> Rows:
    """Normalises each row by its own statistics: z = scale (x - mean) rstd + shift.

    Args:
        x: rows of C entries, at least one; all axes but the last index rows.
        scale: scale of each entry, in x's dtype, or float32 if x is narrower.
        shift: shift of each entry, in the scale's dtype.
        eps: number added to the variance, above 0.

    Returns:
        z, equation (layer.5), in x's shape and dtype. A row of z depends on its own row of x alone.

    Raises:
        ValueError: shapes or dtypes do not match, x is not floating-point, or eps is out of range.
    """
    return layer_norm_forward(x, scale, shift, eps)[0]


def layer_norm_backward(
    eps: float, residuals: LayerNormResiduals, dz: Rows
) -> tuple[Rows, Channels, Channels]:
    """Returns (dx, dscale, dshift), equations (layer.10), (layer.7) and (layer.6)."""
    x, mean, rstd, scale = residuals
    dz_rows = upcast(rows_of(dz))
    x_hat = _centred(x, mean) * rstd[:, None]  # (layer.4)
    dshift = jnp.sum(dz_rows, axis=0)  # (layer.6)
    dscale = jnp.sum(dz_rows * x_hat, axis=0)  # (layer.7)
    dx_hat = upcast(scale)[None, :] * dz_rows  # (layer.8)
    mean_part = jnp.mean(dx_hat, axis=1)[:, None]
    variance_part = x_hat * jnp.mean(dx_hat * x_hat, axis=1)[:, None]
    dx = rstd[:, None] * (dx_hat - mean_part - variance_part)  # (layer.10)
    d_parameters = dscale.astype(scale.dtype), dshift.astype(scale.dtype)
    return dx.reshape(x.shape).astype(x.dtype), *d_parameters


def _centred(x: Array, mean: Array) -> Array:
    """The rows minus their means, in the accumulation dtype."""
    return upcast(rows_of(x)) - mean[:, None]


layer_norm.defvjp(layer_norm_forward, layer_norm_backward)
