"""Softmax."""

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._faults import Fault, sum_in_own_dtype
from ffnn_jax.catalogue._op_spec import Case, OpSpec
from ffnn_jax.layers import softmax, softmax_forward
from ffnn_jax.verify import Kink


def reference_softmax(x: Array) -> Array:
    """Equation (20)."""
    return jnp.exp(x) / jnp.exp(x).sum(-1, keepdims=True)


def shifted_by_the_minimum(x: Array) -> tuple[Array, Array]:
    """A forward whose exponentials overflow."""
    exponentials = jnp.exp(x - jnp.min(x, axis=-1, keepdims=True))
    z = exponentials / jnp.sum(exponentials, axis=-1, keepdims=True)
    return z, z


def _over_the_batch(x: Array) -> tuple[Array, Array]:
    z, _ = softmax_forward(x.T)
    return z.T, z.T


def normalised_in_own_dtype(x: Array) -> tuple[Array, Array]:
    """A forward whose denominators are summed in the dtype of x."""
    exponentials = jnp.exp(x - jnp.max(x, axis=-1, keepdims=True))
    z = exponentials / sum_in_own_dtype(exponentials.T)[:, None]
    return z, z


def _save_scores(x: Array) -> tuple[Array, Array]:
    return softmax_forward(x)[0], x


def _without_the_sum(z: Array, dz: Array) -> tuple[Array]:
    return (z * dz,)


def _with_the_mean(z: Array, dz: Array) -> tuple[Array]:
    return (z * (dz - jnp.mean(dz * z, axis=-1, keepdims=True)),)


def _with_the_sum_over_the_batch(z: Array, dz: Array) -> tuple[Array]:
    return (z * (dz - jnp.sum(dz * z, axis=0, keepdims=True)),)


def _with_the_sum_of_dz(z: Array, dz: Array) -> tuple[Array]:
    return (z * (dz - jnp.sum(dz, axis=-1, keepdims=True)),)


def _diagonal(z: Array, dz: Array) -> tuple[Array]:
    return (z * (1 - z) * dz,)


SOFTMAX = OpSpec(
    op=softmax,
    reference=reference_softmax,
    arguments=("NxK",),
    cases=(
        Case(sizes=({"N": 3, "K": 5}, {"N": 1, "K": 4}, {"N": 8, "K": 1}, {"N": 7, "K": 1000})),
    ),
    batch="N",
    empty_batch=True,
    kinks=(
        Kink(
            "scores of 1e4 and -1e4",
            (np.array([[1e4, -1e4], [-1e4, 1e4]]),),
            np.array([[3.0, 5.0], [7.0, 11.0]]),
            (np.zeros((2, 2)),),
        ),
    ),
    faults=(
        Fault("sum left out of (softmax.1)", _without_the_sum),
        Fault("mean instead of the sum", _with_the_mean),
        Fault("sum over the batch", _with_the_sum_over_the_batch),
        Fault("sum of dz instead of dz z", _with_the_sum_of_dz),
        Fault("only the diagonal of the Jacobian", _diagonal),
        Fault("scores saved instead of z", forward=_save_scores),
        Fault("shifted by the minimum", forward=shifted_by_the_minimum),
        Fault("softmax over the batch", forward=_over_the_batch),
        Fault("denominator summed in half precision", forward=normalised_in_own_dtype, many=True),
    ),
)
