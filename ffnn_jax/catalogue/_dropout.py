"""Dropout."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._faults import Fault, keeping
from ffnn_jax.catalogue._op_spec import ELEMENTWISE, Case, OpSpec
from ffnn_jax.layers import dropout, dropout_backward, dropout_forward
from ffnn_jax.verify import Kink

Cotangents = tuple[Array, None]


def reference_dropout(x: Array, mask: Array, rate: float) -> Array:
    """Equation (dropout.1), and zeros for rate 1."""
    if rate == 1:
        return jnp.zeros_like(x)
    return x * mask.astype(x.dtype) / (1 - rate)


def _by(factor: Callable[[float, Array], Any]) -> Callable[..., Cotangents]:
    """A backward that multiplies by something of the rate and the mask."""

    def wrong(rate: float, kept: Array, dz: Array) -> Cotangents:
        return dz * factor(rate, kept.astype(dz.dtype)), None

    return wrong


def _kept_where_z_is_not_0(x: Array, mask: Array, rate: float) -> tuple[Array, Array]:
    z, _ = dropout_forward(x, mask, rate)
    return z, z != 0


def _not_scaled(x: Array, mask: Array, rate: float) -> tuple[Array, Array]:
    return jnp.where(mask != 0, x, jnp.zeros_like(x)), mask != 0


def _inverse(kept: Array) -> Array:
    return ~kept


def _row_before(kept: Array) -> Array:
    return jnp.roll(kept, 1, axis=0)


def _row_by_its_first_entry(kept: Array) -> Array:
    return jnp.broadcast_to(kept[:, :1], kept.shape)


DROPOUT = OpSpec(
    op=dropout,
    reference=reference_dropout,
    arguments=("NxD", "NxD:int<2"),
    cases=(
        Case(
            sizes=ELEMENTWISE,
            static={"rate": 0.25},
        ),
        Case(sizes=({"N": 4, "D": 3},), static={"rate": 0.0}),
        Case(sizes=({"N": 4, "D": 3},), static={"rate": 1.0}),
    ),
    batch="N",
    linear=(0,),
    empty_batch=True,
    kinks=(
        Kink(
            "0 kept and 0 dropped",
            (np.array([[0.0, -0.0, 0.0]]), np.array([[1, 1, 0]])),
            np.array([[3.0, -6.0, 9.0]]),
            (np.array([[4.0, -8.0, 0.0]]),),
        ),
        Kink(
            "infinity and NaN dropped",
            (np.array([[np.inf, np.nan, 1.0, 1.0]]), np.array([[0, 0, 0, 0]])),
            np.array([[3.0, 6.0, np.inf, np.nan]]),
            (np.zeros((1, 4)),),
        ),
    ),
    faults=(
        Fault("mask left out of the backward", _by(lambda rate, kept: 1 / (1 - rate))),
        Fault("mask inverted", keeping(dropout_backward, _inverse)),
        Fault("mask of the row before", keeping(dropout_backward, _row_before)),
        Fault("row dropped as its first entry", keeping(dropout_backward, _row_by_its_first_entry)),
        Fault("zeros of z taken for dropped", forward=_kept_where_z_is_not_0),
        Fault("dropped by a factor of 0", _by(lambda rate, kept: kept / (1 - rate))),
        Fault("z not scaled", forward=_not_scaled),
        Fault("dx not scaled", _by(lambda rate, kept: kept)),
        Fault("dx scaled twice", _by(lambda rate, kept: kept / (1 - rate) ** 2)),
        Fault("dx scaled as at prediction", _by(lambda rate, kept: kept * (1 - rate))),
        Fault("rate for 1 - rate", _by(lambda rate, kept: kept / rate)),
        Fault("scaled by the share that is kept", _by(lambda rate, kept: kept / jnp.mean(kept))),
    ),
)
