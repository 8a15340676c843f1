"""Batch normalisation by given statistics."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._batch_norm import over
from ffnn_jax.catalogue._faults import Fault, added_narrowly, returning
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
    unit = (x - over(mean, x)) / jnp.sqrt(over(variance, x) + eps)
    return over(scale, x) * unit + over(shift, x)


def _with_training_s_dx(eps: float, residuals: Any, dz: Array) -> Any:
    none = jnp.zeros_like(residuals.rstd)
    dx, _, _ = batch_norm_backward(eps, residuals, (dz, none, none))
    return dx, *batch_norm_inference_backward(eps, residuals, dz)[1:]


def _times(place: int, factor: Callable[[Any], Array]) -> Backward:
    """The backward with one of its cotangents by a factor, a number a channel."""

    def wrong(eps: float, residuals: Any, dz: Array) -> Any:
        cotangents = batch_norm_inference_backward(eps, residuals, dz)
        by = factor(residuals)
        return tuple(d * over(by, d) if i == place else d for i, d in enumerate(cotangents))

    return wrong


def _doubled(cotangent: Array) -> Array:
    return 2 * cotangent


def _of_x_in_place_of_x_hat(eps: float, residuals: Any, dz: Array) -> Any:
    *others, _, dshift = batch_norm_inference_backward(eps, residuals, dz)
    kept = residuals.rstd.dtype
    products = dz.astype(kept) * residuals.x.astype(kept)
    dscale = jnp.sum(products, axis=tuple(range(dz.ndim - 1)))
    return *others, dscale.astype(dshift.dtype), dshift


def _without_eps(eps: float, residuals: Any, dz: Array) -> Any:
    rstd = 1 / jnp.sqrt(1 / residuals.rstd**2 - eps)
    return batch_norm_inference_backward(eps, residuals._replace(rstd=rstd), dz)


def _of_the_first_row(eps: float, residuals: Any, dz: Array) -> Any:
    *others, _ = batch_norm_inference_backward(eps, residuals, dz)
    return *others, dz.reshape(-1, dz.shape[-1])[0]


def _added_narrowly(eps: float, residuals: Any, dz: Array) -> Any:
    *others, _ = batch_norm_inference_backward(eps, residuals, dz)
    return *others, added_narrowly(dz.reshape(-1, dz.shape[-1]))


def _eps_outside_the_root(
    x: Array, mean: Array, variance: Array, scale: Array, shift: Array, eps: float
) -> Any:
    deviation = jnp.sqrt(variance) + eps
    return batch_norm_inference_forward(x, mean, deviation**2 - eps, scale, shift, eps)


def _by_the_batch(
    x: Array, mean: Array, variance: Array, scale: Array, shift: Array, eps: float
) -> Any:
    axes = tuple(range(x.ndim - 1))
    own = jnp.mean(x, axes), jnp.var(x, axes)
    return batch_norm_inference_forward(x, *own, scale, shift, eps)


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
        Fault("dx of training", _with_training_s_dx),
        Fault("dmean 0", returning(batch_norm_inference_backward, 1, jnp.zeros_like)),
        Fault("dvariance 0", returning(batch_norm_inference_backward, 2, jnp.zeros_like)),
        Fault("dmean without scale", _times(1, lambda r: 1 / r.scale)),
        Fault("dvariance with rstd in place of its square", _times(2, lambda r: 1 / r.rstd)),
        Fault("dvariance without its 1/2", returning(batch_norm_inference_backward, 2, _doubled)),
        Fault("rstd left out of dx", _times(0, lambda r: 1 / r.rstd)),
        Fault("scale left out of dx", _times(0, lambda r: 1 / r.scale)),
        Fault("dscale with x in place of x^", _of_x_in_place_of_x_hat),
        Fault("dshift of the first row", _of_the_first_row),
        Fault("eps left out of the backward", _without_eps),
        Fault("eps outside the root", forward=_eps_outside_the_root),
        Fault("statistics of the batch", forward=_by_the_batch),
        Fault("dshift summed in half precision", _added_narrowly, many=True),
    ),
)
