"""Group and instance normalisation."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._faults import Fault
from ffnn_jax.catalogue._normalisation import Terms, normalisation_faults, wide, with_dscale
from ffnn_jax.catalogue._op_spec import Case, OpSpec
from ffnn_jax.layers import (
    group_norm,
    group_norm_backward,
    group_norm_forward,
    instance_norm,
    instance_norm_backward,
    instance_norm_forward,
)
from ffnn_jax.verify import Kink


def reference_group_norm(
    x: Array, scale: Array, shift: Array, groups: int, eps: float = 1e-5
) -> Array:
    """Equations (group.1)-(group.5), group by group, with statistics in float32 or wider."""
    parts = [_standardised(part, eps) for part in jnp.split(wide(x), groups, axis=-1)]
    x_hat = jnp.concatenate(parts, axis=-1)
    of_channels = (jnp.broadcast_to(wide(p).astype(x_hat.dtype), x.shape) for p in (scale, shift))
    wide_scale, wide_shift = of_channels
    return (wide_scale * x_hat + wide_shift).astype(x.dtype)


def reference_instance_norm(x: Array, scale: Array, shift: Array, eps: float = 1e-5) -> Array:
    """Equations (group.1)-(group.5), channel by channel."""
    return reference_group_norm(x, scale, shift, x.shape[-1], eps)


def _standardised(part: Array, eps: float) -> Array:
    """Each image minus its mean, divided by the root of its variance plus eps."""
    axes = tuple(range(1, part.ndim))
    centred = part - jnp.broadcast_to(jnp.mean(part, axes, keepdims=True), part.shape)
    variance = jnp.mean(centred**2, axes, keepdims=True)
    return centred / jnp.broadcast_to(jnp.sqrt(variance + eps), part.shape)


def _terms(residuals: Any, dz: Array) -> Terms:
    x, mean, rstd, scale = residuals
    groups = mean.shape[1]
    shape = len(x), math.prod(x.shape[1:-1]), groups, x.shape[-1] // groups
    grouped, dz_grouped = (wide(array).reshape(shape) for array in (x, dz))
    of_groups = mean[:, None, :, None], rstd[:, None, :, None]
    per_channel = wide(scale).reshape(1, 1, groups, -1)
    return Terms(dz_grouped, grouped, *of_groups, per_channel, (1, 3), x.dtype)


def _interleaved(x: Array, scale: Array, shift: Array, groups: int, eps: float) -> Any:
    order = np.arange(x.shape[-1]).reshape(groups, -1).T.ravel()
    z, _ = group_norm_forward(x[..., order], scale[order], shift[order], groups, eps)
    return z[..., np.argsort(order)], group_norm_forward(x, scale, shift, groups, eps)[1]


def _of_the_group(t: Terms) -> Array:
    return jnp.broadcast_to(jnp.sum(t.dz * t.x_hat, 3, keepdims=True), t.x.shape)


def _of_the_batch(x: Array, scale: Array, shift: Array, eps: float) -> Any:
    z, _ = instance_norm_forward(x.reshape(1, -1, x.shape[-1]), scale, shift, eps)
    return z.reshape(x.shape), instance_norm_forward(x, scale, shift, eps)[1]


CONSTANT = np.array([[[[3.0, 3, -2, -2, 5, 5]]]])

GROUP_NORM = OpSpec(
    op=group_norm,
    reference=reference_group_norm,
    arguments=("NxHxWxC", "C", "C"),
    cases=(
        Case(
            sizes=(
                {"N": 4, "H": 2, "W": 3, "C": 6},
                {"N": 1, "H": 1, "W": 1, "C": 6},
                {"N": 2, "H": 1, "W": 5, "C": 3},
                {"N": 3, "H": 9, "W": 10, "C": 30},
            ),
            static={"groups": 3, "eps": 0.25},
        ),
        Case(sizes=({"N": 3, "H": 1, "W": 2, "C": 4},), static={"groups": 1, "eps": 1e-5}),
    ),
    batch="N",
    linear=(1, 2),
    empty_batch=True,
    kinks=(
        Kink(
            "constant groups",
            (CONSTANT, np.array([5.0, 3, 1, 1, 2, 4]), np.arange(6.0)),
            np.array([[[[1.0, 2, 3, 5, 0, 0]]]]),
            (np.array([[[[-1.0, 1, -2, 2, 0, 0]]]]), np.zeros(6), np.array([1.0, 2, 3, 5, 0, 0])),
        ),
    ),
    faults=(
        *normalisation_faults(group_norm, _terms),
        Fault("groups interleaved", forward=_interleaved),
        Fault(
            "dscale summed over the group", with_dscale(group_norm_backward, _terms, _of_the_group)
        ),
    ),
)

INSTANCE_NORM = OpSpec(
    op=instance_norm,
    reference=reference_instance_norm,
    arguments=("NxPxC", "C", "C"),
    cases=(
        Case(
            sizes=({"N": 2, "P": 5, "C": 3}, {"N": 1, "P": 1, "C": 4}, {"N": 4, "P": 900, "C": 2}),
            static={"eps": 0.25},
        ),
        Case(sizes=({"N": 3, "P": 4, "C": 2},), static={"eps": 1e-5}),
    ),
    batch="N",
    linear=(1, 2),
    empty_batch=True,
    kinks=(
        Kink(
            "a constant channel",
            (np.full((1, 3, 1), 3.0), np.array([5.0]), np.array([1.0])),
            np.array([[[1.0], [2.0], [6.0]]]),
            (np.array([[[-20.0], [-10.0], [30.0]]]), np.array([0.0]), np.array([9.0])),
        ),
        Kink(
            "one pixel",
            (np.array([[[5.0, -2.0]]]), np.array([3.0, 4.0]), np.array([1.0, 2.0])),
            np.array([[[7.0, 9.0]]]),
            (np.zeros((1, 1, 2)), np.zeros(2), np.array([7.0, 9.0])),
        ),
    ),
    faults=(
        *normalisation_faults(instance_norm, _terms, without=("scale outside the sums",)),
        Fault("statistics of the batch", forward=_of_the_batch),
        Fault(
            "dscale of the first image alone",
            with_dscale(
                instance_norm_backward, _terms, lambda t: (t.dz * t.x_hat).at[1:].multiply(0)
            ),
        ),
    ),
)
