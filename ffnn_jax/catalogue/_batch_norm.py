"""Batch normalisation with the statistics of the batch."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._faults import Fault, change_dz, change_residuals, sum_in_own_dtype
from ffnn_jax.catalogue._op_spec import Case, OpSpec
from ffnn_jax.layers import batch_norm, batch_norm_backward, batch_norm_forward
from ffnn_jax.verify import Kink

Outputs = tuple[Array, Array, Array]


def reference_batch_norm(x: Array, scale: Array, shift: Array, eps: float = 1e-5) -> Outputs:
    """Equations (norm.1)-(norm.3), (norm.9) and (norm.10), with statistics in float32 or wider."""
    wide = x.astype(jnp.float64 if x.dtype == jnp.float64 else jnp.float32)
    axes = tuple(range(x.ndim - 1))
    mean = jnp.mean(wide, axes)
    variance = jnp.mean((wide - broadcast_like(mean, wide)) ** 2, axes)
    x_hat = (wide - broadcast_like(mean, wide)) / jnp.sqrt(broadcast_like(variance, wide) + eps)
    return (
        (broadcast_like(scale, wide) * x_hat + broadcast_like(shift, wide)).astype(x.dtype),
        mean,
        variance,
    )


def broadcast_like(channels: Array, x: Array) -> Array:
    """One value per channel, broadcast to the shape of x and cast to its dtype."""
    return jnp.broadcast_to(channels.astype(x.dtype), x.shape)


class _Terms(NamedTuple):
    """The terms of (norm.15), each in the shape of x, and the number of rows."""

    dz: Array
    x_hat: Array
    rstd: Array
    scale: Array
    dshift: Array
    dscale: Array
    of_statistics: Array
    rows: int


def _with_dx(formula: Callable[[_Terms], Array]) -> Callable[..., Any]:
    """The backward with a different formula for dx."""

    def wrong(eps: float, residuals: Any, cotangents: Outputs) -> Any:
        _, dscale, dshift = batch_norm_backward(eps, residuals, cotangents)
        x, rows = residuals.x, math.prod(residuals.x.shape[:-1])
        like = x.astype(residuals.mean.dtype)
        spread = (*residuals[1:], dshift, dscale, *cotangents[1:])
        mean, rstd, scale, dshift_x, dscale_x, dmean, dvariance = (
            broadcast_like(v, like) for v in spread
        )
        of_statistics = (dmean + 2 * (like - mean) * dvariance) / rows
        dz, x_hat = cotangents[0].astype(like.dtype), (like - mean) * rstd
        terms = _Terms(dz, x_hat, rstd, scale, dshift_x, dscale_x, of_statistics, rows)
        return formula(terms).astype(x.dtype), dscale, dshift

    return wrong


def _held_constant(t: _Terms) -> Array:
    return t.scale * t.rstd * t.dz


def _without_the_variance(t: _Terms) -> Array:
    return t.scale * t.rstd * (t.dz - t.dshift / t.rows) + t.of_statistics


def _without_the_mean(t: _Terms) -> Array:
    return t.scale * t.rstd * (t.dz - t.x_hat * t.dscale / t.rows) + t.of_statistics


def _with_m_minus_1(t: _Terms) -> Array:
    left = t.dz - t.dshift / t.rows - t.x_hat * t.dscale / (t.rows - 1)
    return t.scale * t.rstd * left + t.of_statistics


def _over_the_batch_axis(t: _Terms) -> Array:
    mean, part = (jnp.mean(d, axis=0, keepdims=True) for d in (t.dz, t.dz * t.x_hat))
    return t.scale * t.rstd * (t.dz - mean - t.x_hat * part) + t.of_statistics


def _without_scale(t: _Terms) -> Array:
    left = t.dz - (t.dshift + t.x_hat * t.dscale) / t.rows
    return t.rstd * left + t.of_statistics


def _dscale_from_x(eps: float, residuals: Any, cotangents: Outputs) -> Any:
    dx, _, dshift = batch_norm_backward(eps, residuals, cotangents)
    x, dz = (array.astype(residuals.rstd.dtype) for array in (residuals.x, cotangents[0]))
    dscale = jnp.sum(dz * x, axis=tuple(range(x.ndim - 1)))
    return dx, dscale.astype(dshift.dtype), dshift


def _without_eps(eps: float, residuals: Any, cotangents: Outputs) -> Any:
    rstd = 1 / jnp.sqrt(1 / residuals.rstd**2 - eps)
    return batch_norm_backward(eps, residuals._replace(rstd=rstd), cotangents)


def _with_running_statistics(residuals: Any) -> Any:
    mean, rstd = jnp.zeros_like(residuals.mean), jnp.ones_like(residuals.rstd)
    return residuals._replace(mean=mean, rstd=rstd)


def _unbiased_variance(x: Array, scale: Array, shift: Array, eps: float) -> Any:
    (z, mean, variance), residuals = batch_norm_forward(x, scale, shift, eps)
    count = math.prod(x.shape[:-1])
    return (z, mean, variance * count / (count - 1)), residuals


def _one_pass_in_half_precision(x: Array, scale: Array, shift: Array, eps: float) -> Any:
    (_, exact, _), residuals = batch_norm_forward(x, scale, shift, eps)
    rows = x.reshape(-1, x.shape[-1])
    mean, square = (sum_in_own_dtype(each) / len(rows) for each in (rows, rows**2))
    variance = square - mean**2
    rstd = 1 / jnp.sqrt(variance + eps)
    z = broadcast_like(scale, x) * (x - broadcast_like(mean, x)) * broadcast_like(
        rstd, x
    ) + broadcast_like(shift, x)
    mean, variance, rstd = (each.astype(exact.dtype) for each in (mean, variance, rstd))
    return (z, mean, variance), residuals._replace(mean=mean, rstd=rstd)


BATCH_NORM = OpSpec(
    op=batch_norm,
    reference=reference_batch_norm,
    arguments=("NxHxWxC", "C", "C"),
    cases=(
        Case(
            sizes=(
                {"N": 3, "H": 2, "W": 4, "C": 5},
                {"N": 1, "H": 1, "W": 1, "C": 4},
                {"N": 5, "H": 3, "W": 1, "C": 2},
                {"N": 16, "H": 12, "W": 11, "C": 24},
            ),
            static={"eps": 0.25},
        ),
        Case(sizes=({"N": 4, "H": 1, "W": 3, "C": 2},), static={"eps": 1e-5}),
    ),
    batch="N",
    reduces="mixed",
    linear=(1, 2),
    kinks=(
        Kink(
            "a constant channel",
            (np.full((3, 1, 1, 1), 3.0), np.array([5.0]), np.array([1.0])),
            (np.array([1.0, 2, 6]).reshape(3, 1, 1, 1), np.array([6.0]), np.array([7.0])),
            (np.array([-18.0, -8, 32]).reshape(3, 1, 1, 1), np.array([0.0]), np.array([9.0])),
        ),
        Kink(
            "one row",
            (np.array([[[[5.0, -2.0]]]]), np.array([3.0, 4.0]), np.array([1.0, 2.0])),
            (np.array([[[[7.0, 9.0]]]]), np.array([2.0, -3.0]), np.array([11.0, 13.0])),
            (np.array([[[[2.0, -3.0]]]]), np.array([0.0, 0.0]), np.array([7.0, 9.0])),
        ),
    ),
    faults=(
        Fault("statistics treated as constants", _with_dx(_held_constant)),
        Fault("variance term left out of (norm.15)", _with_dx(_without_the_variance)),
        Fault("mean term left out of (norm.15)", _with_dx(_without_the_mean)),
        Fault("M - 1 in the variance term", _with_dx(_with_m_minus_1)),
        Fault("means over the batch axis only", _with_dx(_over_the_batch_axis)),
        Fault("scale left out of dx", _with_dx(_without_scale)),
        Fault("dscale from x instead of x^", _dscale_from_x),
        Fault("eps left out of the backward", _without_eps),
        Fault("dmean ignored", change_dz(batch_norm_backward, lambda d: (d[0], 0 * d[1], d[2]))),
        Fault(
            "dvariance ignored", change_dz(batch_norm_backward, lambda d: (d[0], d[1], 0 * d[2]))
        ),
        Fault(
            "factor 2 left out of the dvariance term",
            change_dz(batch_norm_backward, lambda d: (*d[:2], d[2] / 2)),
        ),
        Fault(
            "running statistics in the backward",
            change_residuals(batch_norm_backward, _with_running_statistics),
        ),
        Fault("variance divided by M - 1", forward=_unbiased_variance),
        Fault("E[x^2] - E[x]^2 in half precision", forward=_one_pass_in_half_precision, many=True),
    ),
)
