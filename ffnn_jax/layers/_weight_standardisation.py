"""Weight standardisation: equations (weight.1)-(weight.6).

The last axis of w indexes the K outputs of a convolution (KH, KW, C_in, K) or a dense layer (D, K);
all others index the D weights of one output. This normalises not what flows through a network but
its kernels: each output's weights have mean 0 and variance 1 when they are used. Outputs do not
interact, so k is omitted.

    mean     = 1/D sum_d w_d                                                    (weight.1)
    variance = 1/D sum_d (w_d - mean)^2                                         (weight.2)
    rstd     = 1 / sqrt(variance + eps)                                         (weight.3)
    z_d      = (w_d - mean) rstd                                                (weight.4)

There is no scale and no shift, so z is the w^ of a normalisation, and (layer.9) with the D weights
of an output in place of the C entries of a row gives

    dw_d = rstd (dz_d - 1/D sum_e dz_e - z_d 1/D sum_e dz_e z_e)                (weight.5)

Neither the mean of the weights nor their size has an effect, so a step along dw changes neither, to
first order and apart from the effect of eps:

    sum_d dw_d = 0,   sum_d dw_d z_d = eps rstd^3 sum_d dz_d z_d                (weight.6)

z is of size 1 whatever w is, so a sum of D products with it grows as sqrt(D): a normalisation, most
often group normalisation, should follow the layer that uses it.

Conventions: the variance is the biased one, over D, in two passes and in at least float32, and eps
is inside the root, as in BiT; the paper divides by the unbiased standard deviation plus 1e-5. An
output whose weights are all equal has variance 0 and z = 0, and (weight.5) holds.

The residuals are w, a mean and rstd for each output: z is cheaper to recompute than to store.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from ffnn_jax.layers._arguments import custom_vjp_with_static, require, require_floating, upcast
from ffnn_jax.layers._rows import require_eps, rows_of

__all__ = [
    "weight_standardisation",
    "weight_standardisation_backward",
    "weight_standardisation_forward",
]

Weights = Float[Array, "... K"]


class WeightStandardisationResiduals(NamedTuple):
    """Residuals of the backward pass; only w itself has w's size."""

    w: Weights
    mean: Float[Array, " K"]
    rstd: Float[Array, " K"]


def weight_standardisation_forward(
    w: Weights, eps: float = 1e-5
) -> tuple[Weights, WeightStandardisationResiduals]:
    """Returns z and the residuals."""
    _require_arguments(w, eps)
    mean = jnp.mean(upcast(rows_of(w)), axis=0)  # (weight.1)
    variance = jnp.mean(_centred(w, mean) ** 2, axis=0)  # (weight.2)
    rstd = 1 / jnp.sqrt(variance + float(eps))  # (weight.3)
    z = _centred(w, mean) * rstd[None, :]  # (weight.4)
    return z.reshape(w.shape).astype(w.dtype), WeightStandardisationResiduals(w, mean, rstd)


@custom_vjp_with_static(1)
def weight_standardisation(w: Weights, eps: float = 1e-5) -> Weights:
    """Standardises the weights of each output: z = (w - mean) / sqrt(variance + eps).

    Args:
        w: weights whose last axis is the outputs: a kernel (KH, KW, C_in, K) or a matrix (D, K).
        eps: number added to the variance, above 0.

    Returns:
        z, equation (weight.4), in w's shape and dtype.

    Raises:
        ValueError: w is not floating-point or an output has no weights, or eps is out of range.
    """
    return weight_standardisation_forward(w, eps)[0]


def weight_standardisation_backward(
    eps: float, residuals: WeightStandardisationResiduals, dz: Weights
) -> tuple[Weights]:
    """Returns (dw,), equation (weight.5)."""
    w, mean, rstd = residuals
    dz_rows = upcast(rows_of(dz))
    z = _centred(w, mean) * rstd[None, :]  # (weight.4)
    mean_part = jnp.mean(dz_rows, axis=0)[None, :]
    variance_part = z * jnp.mean(dz_rows * z, axis=0)[None, :]
    dw = rstd[None, :] * (dz_rows - mean_part - variance_part)  # (weight.5)
    return (dw.reshape(w.shape).astype(w.dtype),)


def _centred(w: Array, mean: Array) -> Array:
    """The weights as (D, K) minus the means of their outputs, in the accumulation dtype."""
    return upcast(rows_of(w)) - mean[None, :]


def _require_arguments(w: Array, eps: float) -> None:
    name = "weight_standardisation"
    require_floating(name, w=w)
    holds = w.ndim >= 2 and math.prod(w.shape[:-1]) > 0
    require(holds, name, "w", "of shape (..., K), with weights for each output", w.shape)
    require_eps(name, w, eps)


weight_standardisation.defvjp(weight_standardisation_forward, weight_standardisation_backward)
