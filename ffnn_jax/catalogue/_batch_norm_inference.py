"""Batch normalisation with given statistics."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._batch_norm import broadcast_like
from ffnn_jax.catalogue._faults import Fault, change_cotangent, sum_in_own_dtype
from ffnn_jax.catalogue._op_spec import Case, OpSpec
from ffnn_jax.layers import (
    batch_norm_backward,
    batch_norm_inference,
    batch_norm_inference_backward,
    batch_norm_inference_forward,
)
from ffnn_jax.verify import Kink

Backward = Callable[..., Any]


def reference_batch_norm_inference(
    x: Array, mean: Array, variance: Array, scale: Array, shift: Array, eps: float = 1e-5
) -> Array:
    """Equations (norm.1)-(norm.3)."""
    x_hat = (x - broadcast_like(mean, x)) / jnp.sqrt(broadcast_like(variance, x) + eps)
    return broadcast_like(scale, x) * x_hat + broadcast_like(shift, x)


def _training_dx(eps: float, residuals: Any, dz: Array) -> Any:
    zeros = jnp.zeros_like(residuals.rstd)
    dx, _, _ = batch_norm_backward(eps, residuals, (dz, zeros, zeros))
    return dx, *batch_norm_inference_backward(eps, residuals, dz)[1:]


def _scale_by(index: int, factor: Callable[[Any], Array]) -> Backward:
    """The backward with one of its cotangents scaled by one factor per channel."""

    def wrong(eps: float, residuals: Any, dz: Array) -> Any:
        cotangents = batch_norm_inference_backward(eps, residuals, dz)
        scaling = factor(residuals)
        return tuple(
            d * broadcast_like(scaling, d) if i == index else d for i, d in enumerate(cotangents)
        )

    return wrong


def _doubled(cotangent: Array) -> Array:
    return 2 * cotangent


def _dscale_from_x(eps: float, residuals: Any, dz: Array) -> Any:
    *others, _, dshift = batch_norm_inference_backward(eps, residuals, dz)
    dtype = residuals.rstd.dtype
    products = dz.astype(dtype) * residuals.x.astype(dtype)
    dscale = jnp.sum(products, axis=tuple(range(dz.ndim - 1)))
    return *others, dscale.astype(dshift.dtype), dshift


def _without_eps(eps: float, residuals: Any, dz: Array) -> Any:
    rstd = 1 / jnp.sqrt(1 / residuals.rstd**2 - eps)
    return batch_norm_inference_backward(eps, residuals._replace(rstd=rstd), dz)


def _dshift_from_the_first_row(eps: float, residuals: Any, dz: Array) -> Any:
    *others, _ = batch_norm_inference_backward(eps, residuals, dz)
    return *others, dz.reshape(-1, dz.shape[-1])[0]


def _dshift_in_half_precision(eps: float, residuals: Any, dz: Array) -> Any:
    *others, _ = batch_norm_inference_backward(eps, residuals, dz)
    return *others, sum_in_own_dtype(dz.reshape(-1, dz.shape[-1]))


def _eps_outside_the_root(
    x: Array, mean: Array, variance: Array, scale: Array, shift: Array, eps: float
) -> Any:
    deviation = jnp.sqrt(variance) + eps
    return batch_norm_inference_forward(x, mean, deviation**2 - eps, scale, shift, eps)


def _batch_statistics(
    x: Array, mean: Array, variance: Array, scale: Array, shift: Array, eps: float
) -> Any:
    axes = tuple(range(x.ndim - 1))
    statistics = jnp.mean(x, axes), jnp.var(x, axes)
    return batch_norm_inference_forward(x, *statistics, scale, shift, eps)


BATCH_NORM_INFERENCE = OpSpec(
    op=batch_norm_inference,
    reference=reference_batch_norm_inference,
    arguments=("NxHxWxC", "C", "C:>0", "C", "C"),
    cases=(
        Case(
            sizes=(
                {"N": 3, "H": 2, "W": 4, "C": 5},
                {"N": 1, "H": 1, "W": 1, "C": 4},
                {"N": 16, "H": 12, "W": 11, "C": 24},
            ),
            static={"eps": 0.25},
        ),
        Case(sizes=({"N": 4, "H": 1, "W": 3, "C": 2},), static={"eps": 1e-5}),
    ),
    batch="N",
    linear=(0, 1, 3, 4),
    empty_batch=True,
    kinks=(
        Kink(
            "variance 0",
            (np.array([3.0, 0]).reshape(2, 1, 1, 1), *map(np.array, ([1.0], [0.0], [5.0], [1.0]))),
            np.array([1.0, 3]).reshape(2, 1, 1, 1),
            (
                np.array([10.0, 30]).reshape(2, 1, 1, 1),
                *map(np.array, ([-40.0], [20.0], [-2.0], [4.0])),
            ),
        ),
    ),
    faults=(
        Fault("dx of the training rule", _training_dx),
        Fault(
            "dmean set to zero", change_cotangent(batch_norm_inference_backward, 1, jnp.zeros_like)
        ),
        Fault(
            "dvariance set to zero",
            change_cotangent(batch_norm_inference_backward, 2, jnp.zeros_like),
        ),
        Fault("scale left out of dmean", _scale_by(1, lambda r: 1 / r.scale)),
        Fault("rstd instead of its square in dvariance", _scale_by(2, lambda r: 1 / r.rstd)),
        Fault(
            "factor 1/2 left out of dvariance",
            change_cotangent(batch_norm_inference_backward, 2, _doubled),
        ),
        Fault("rstd left out of dx", _scale_by(0, lambda r: 1 / r.rstd)),
        Fault("scale left out of dx", _scale_by(0, lambda r: 1 / r.scale)),
        Fault("dscale from x instead of x^", _dscale_from_x),
        Fault("dshift from the first row only", _dshift_from_the_first_row),
        Fault("eps left out of the backward", _without_eps),
        Fault("eps outside the square root", forward=_eps_outside_the_root),
        Fault("batch statistics in the forward", forward=_batch_statistics),
        Fault("dshift summed in half precision", _dshift_in_half_precision, many=True),
    ),
)
