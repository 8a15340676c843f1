"""Dropout."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._faults import Fault, change_residuals
from ffnn_jax.catalogue._op_spec import ELEMENTWISE, Case, OpSpec
from ffnn_jax.layers import dropout, dropout_backward, dropout_forward
from ffnn_jax.verify import Kink

Cotangents = tuple[Array, None]


def reference_dropout(x: Array, mask: Array, rate: float) -> Array:
    """Equation (dropout.1); zeros at rate 1."""
    if rate == 1:
        return jnp.zeros_like(x)
    return x * mask.astype(x.dtype) / (1 - rate)


def _scale_by(factor: Callable[[float, Array], Any]) -> Callable[..., Cotangents]:
    """A backward that multiplies dz by a function of the rate and the mask."""

    def wrong(rate: float, kept: Array, dz: Array) -> Cotangents:
        return dz * factor(rate, kept.astype(dz.dtype)), None

    return wrong


def _mask_from_z(x: Array, mask: Array, rate: float) -> tuple[Array, Array]:
    z, _ = dropout_forward(x, mask, rate)
    return z, z != 0


def _not_scaled(x: Array, mask: Array, rate: float) -> tuple[Array, Array]:
    return jnp.where(mask != 0, x, jnp.zeros_like(x)), mask != 0


def _inverted(kept: Array) -> Array:
    return ~kept


def _previous_row(kept: Array) -> Array:
    return jnp.roll(kept, 1, axis=0)


def _first_entry_of_the_row(kept: Array) -> Array:
    return jnp.broadcast_to(kept[:, :1], kept.shape)


DROPOUT = OpSpec(
    op=dropout,
    reference=reference_dropout,
    arguments=("NxD", "NxD:int<2"),
    cases=(
        Case(sizes=ELEMENTWISE, static={"rate": 0.25}),
        Case(sizes=({"N": 4, "D": 3},), static={"rate": 1.0}),
    ),
    batch="N",
    linear=(0,),
    empty_batch=True,
    kinks=(
        Kink(
            "0 kept and dropped, infinity and NaN dropped",
            (np.array([[0.0, -0.0, 0.0, np.inf, np.nan, 1.0]]), np.array([[1, 1, 0, 0, 0, 0]])),
            np.array([[3.0, -6.0, 9.0, 3.0, np.inf, np.nan]]),
            (np.array([[4.0, -8.0, 0.0, 0.0, 0.0, 0.0]]),),
        ),
    ),
    faults=(
        Fault("mask left out of the backward", _scale_by(lambda rate, kept: 1 / (1 - rate))),
        Fault("mask inverted", change_residuals(dropout_backward, _inverted)),
        Fault("mask from the previous row", change_residuals(dropout_backward, _previous_row)),
        Fault(
            "whole row dropped with its first entry",
            change_residuals(dropout_backward, _first_entry_of_the_row),
        ),
        Fault("zeros in z treated as dropped", forward=_mask_from_z),
        Fault("mask applied by multiplication", _scale_by(lambda rate, kept: kept / (1 - rate))),
        Fault("z not scaled", forward=_not_scaled),
        Fault("dx not scaled", _scale_by(lambda rate, kept: kept)),
        Fault("dx scaled twice", _scale_by(lambda rate, kept: kept / (1 - rate) ** 2)),
        Fault("dx scaled by 1 - rate", _scale_by(lambda rate, kept: kept * (1 - rate))),
        Fault("rate instead of 1 - rate", _scale_by(lambda rate, kept: kept / rate)),
        Fault(
            "scaled by the fraction actually kept",
            _scale_by(lambda rate, kept: kept / jnp.mean(kept)),
        ),
    ),
)
