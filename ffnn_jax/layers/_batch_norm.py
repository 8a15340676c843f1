"""Batch normalisation: equations (norm.1)-(norm.16).

x has M rows of C channels: all axes but the last index rows, so M is N for (N, C) and N H W for
images (N, H, W, C). Channels do not interact, so the channel index is omitted. With a mean and a
variance, and the learned scale and shift,

    rstd = 1 / sqrt(variance + eps)                                             (norm.1)
    x^_m = (x_m - mean) rstd                                                    (norm.2)
    z_m  = scale x^_m + shift                                                   (norm.3)

Prediction: the statistics are given
------------------------------------
z is affine in x, and all rows share the same four numbers, whose cotangents are sums over the rows:

    dx_m   = scale rstd dz_m                                                    (norm.4)
    dshift = sum_m dz_m                                                         (norm.5)
    dscale = sum_m dz_m x^_m                                                    (norm.6)
    dmean  = -scale rstd sum_m dz_m = -scale rstd dshift                        (norm.7)

The derivative of (norm.1) is -rstd^3 / 2, and sum_m dz_m scale (x_m - mean) is scale dscale / rstd:

    dvariance = -1/2 scale rstd^2 dscale                                        (norm.8)

Training: the statistics are the batch's
----------------------------------------
    mean     = 1/M sum_m x_m                                                    (norm.9)
    variance = 1/M sum_m (x_m - mean)^2                                         (norm.10)

The mean in (norm.10) depends on x_m too. The non-obvious step is that this adds nothing, since the
derivative of the variance with respect to the mean, -2/M sum_m (x_m - mean), is 0. So

    dmean/dx_m = 1/M,   dvariance/dx_m = 2/M (x_m - mean)                       (norm.11)

x_m reaches the loss along three paths: through z_m, the mean and the variance. The last two are
also outputs, whose own cotangents dmean and dvariance are added to (norm.7) and (norm.8):

    dx_m = scale rstd dz_m + 1/M (dmean - scale rstd dshift)
           + 2/M (x_m - mean) (dvariance - 1/2 scale rstd^2 dscale)             (norm.12)

This removes from dz its mean and its component along x^, which itself has mean 0:

    sum_m x^_m = 0                                                              (norm.13)
    dscale = sum_m (dz_m - dshift / M) x^_m                                     (norm.14)
    dx_m = scale rstd (dz_m - dshift / M - x^_m dscale / M)
           + (dmean + 2 (x_m - mean) dvariance) / M                             (norm.15)

(norm.14) equals (norm.6), but does not multiply the mean's rounding error by the sum of dz.

A lesson for tests: by (norm.13), for any x,

    sum_m z_m = M shift                                                         (norm.16)

so ``grad(sum(z))`` is 0 by a correct rule, and also by one that lacks the variance term. A
cotangent of ones cannot tell them apart; a random one can.

Conventions: the variance is the biased one, over M, and eps is inside the root. The statistics
take two passes, in at least float32: E[x^2] - E[x]^2 suffers cancellation, and can be negative.
A single row, or a constant channel, has variance 0, and its z is shift. Running statistics are up
to the layer class: ours averages this mean and this biased variance over the steps.

The residuals are x, mean, rstd and scale: x^ is cheaper to recompute than to store.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ffnn_jax.layers._arguments import custom_vjp_with_static, require, upcast
from ffnn_jax.layers._rows import require_channels, require_eps, rows_of

__all__ = [
    "batch_norm",
    "batch_norm_backward",
    "batch_norm_forward",
    "batch_norm_inference",
    "batch_norm_inference_backward",
    "batch_norm_inference_forward",
]

Rows = Float[Array, "... C"]
Channels = Float[Array, " C"]


class BatchNormResiduals(NamedTuple):
    """Residuals of the backward pass; only x itself has x's size."""

    x: Rows
    mean: Channels
    rstd: Channels
    scale: Channels


def batch_norm_inference_forward(
    x: Rows, mean: Channels, variance: Channels, scale: Channels, shift: Channels, eps: float = 1e-5
) -> tuple[Rows, BatchNormResiduals]:
    """Returns z and the residuals."""
    name = "batch_norm_inference"
    _require_arguments(name, x, eps, scale=scale, shift=shift)
    _require_arguments(name, x, eps, mean=mean, variance=variance)
    rstd = 1 / jnp.sqrt(upcast(variance) + float(eps))  # (norm.1)
    x_hat = _centred(x, mean) * rstd[None, :]  # (norm.2)
    z = upcast(scale)[None, :] * x_hat + upcast(shift)[None, :]  # (norm.3)
    return z.reshape(x.shape).astype(x.dtype), BatchNormResiduals(x, mean, rstd, scale)


@custom_vjp_with_static(5)
def batch_norm_inference(
    x: Rows, mean: Channels, variance: Channels, scale: Channels, shift: Channels, eps: float = 1e-5
) -> Rows:
    """Normalises with given statistics: z = scale (x - mean) / sqrt(variance + eps) + shift.

    Args:
        x: rows of C channels; all axes but the last index rows.
        mean: mean of each channel, in x's dtype, or float32 if x is narrower.
        variance: variance of each channel, at least 0, in the mean's dtype.
        scale: scale of each channel, in x's dtype, or float32 if x is narrower.
        shift: shift of each channel, in the scale's dtype.
        eps: number added to the variance, above 0.

    Returns:
        z, equation (norm.3), in x's shape and dtype. A row of z depends on its own row of x alone.

    Raises:
        ValueError: shapes or dtypes do not match, x is not floating-point, or eps is out of range.
    """
    return batch_norm_inference_forward(x, mean, variance, scale, shift, eps)[0]


def batch_norm_inference_backward(
    eps: float, residuals: BatchNormResiduals, dz: Rows
) -> tuple[Rows, Channels, Channels, Channels, Channels]:
    """Returns (dx, dmean, dvariance, dscale, dshift), equations (norm.4)-(norm.8)."""
    x, mean, rstd, scale = residuals
    dz_rows, factor = upcast(rows_of(dz)), upcast(scale) * rstd
    x_hat = _centred(x, mean) * rstd[None, :]  # (norm.2)
    dx = factor[None, :] * dz_rows  # (norm.4)
    dshift = jnp.sum(dz_rows, axis=0)  # (norm.5)
    dscale = jnp.sum(dz_rows * x_hat, axis=0)  # (norm.6)
    dmean = -factor * dshift  # (norm.7)
    dvariance = -factor * rstd * dscale / 2  # (norm.8)
    d_statistics = dmean.astype(mean.dtype), dvariance.astype(mean.dtype)
    d_parameters = dscale.astype(scale.dtype), dshift.astype(scale.dtype)
    return dx.reshape(x.shape).astype(x.dtype), *d_statistics, *d_parameters


batch_norm_inference.defvjp(batch_norm_inference_forward, batch_norm_inference_backward)


def batch_norm_forward(
    x: Rows, scale: Channels, shift: Channels, eps: float = 1e-5
) -> tuple[tuple[Rows, Channels, Channels], BatchNormResiduals]:
    """Returns (z, mean, variance) and the residuals, normalising with the batch's statistics."""
    _require_arguments("batch_norm", x, eps, scale=scale, shift=shift)
    count = math.prod(x.shape[:-1])
    require(count > 0, "batch_norm", "x", "of at least one row", x.shape)
    mean = jnp.sum(upcast(rows_of(x)), axis=0) / count  # (norm.9)
    variance = jnp.sum(_centred(x, mean) ** 2, axis=0) / count  # (norm.10)
    z, residuals = batch_norm_inference_forward(x, mean, variance, scale, shift, eps)
    return (z, mean, variance), residuals


@custom_vjp_with_static(3)
def batch_norm(
    x: Rows, scale: Channels, shift: Channels, eps: float = 1e-5
) -> tuple[Rows, Channels, Channels]:
    """Batch normalisation with the statistics of the batch itself.

    Args:
        x: rows of C channels, at least one row; all axes but the last index rows.
        scale: scale of each channel, in x's dtype, or float32 if x is narrower.
        shift: shift of each channel, in the scale's dtype.
        eps: number added to the variance, above 0.

    Returns:
        z, equation (norm.3), in x's shape and dtype; the mean, (norm.9), and the biased variance,
        (norm.10), of each channel, in at least float32. All three may have cotangents.

    Raises:
        ValueError: shapes or dtypes do not match, x is not floating-point or has no rows, or eps is
            out of range.
    """
    return batch_norm_forward(x, scale, shift, eps)[0]


def batch_norm_backward(
    eps: float, residuals: BatchNormResiduals, cotangents: tuple[Rows, Channels, Channels]
) -> tuple[Rows, Channels, Channels]:
    """Returns (dx, dscale, dshift) of (dz, dmean, dvariance): (norm.15), (norm.14), (norm.5)."""
    (x, mean, rstd, scale), (dz, dmean, dvariance) = residuals, cotangents
    dz_rows, count = upcast(rows_of(dz)), math.prod(x.shape[:-1])
    dshift = jnp.sum(dz_rows, axis=0)  # (norm.5)
    mean_dz = dshift / count
    terms = (dz_rows - mean_dz[None, :]) * _centred(x, mean)
    dscale = rstd * jnp.sum(terms, axis=0)  # (norm.14)
    dz_again, x_again = jax.lax.optimization_barrier((dz_rows, x))  # else XLA would store terms
    centred = _centred(x_again, mean)
    component = (rstd * dscale / count)[None, :]
    from_z = (upcast(scale) * rstd)[None, :] * (dz_again - mean_dz[None, :] - centred * component)
    from_statistics = (dmean[None, :] + 2 * centred * dvariance[None, :]) / count
    dx = from_z + from_statistics  # (norm.15)
    return (
        dx.reshape(x.shape).astype(x.dtype),
        dscale.astype(scale.dtype),
        dshift.astype(scale.dtype),
    )


def _centred(x: Array, mean: Array) -> Array:
    """The rows minus the mean, in the accumulation dtype."""
    return upcast(rows_of(x)) - upcast(mean)[None, :]


def _require_arguments(function: str, x: Array, eps: float, **parameters: Array) -> None:
    require_channels(function, x, 2, **parameters)
    require_eps(function, x, eps)


batch_norm.defvjp(batch_norm_forward, batch_norm_backward)
