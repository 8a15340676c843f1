"""The rectified linear unit."""

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._faults import Fault
from ffnn_jax.catalogue._op_spec import ELEMENTWISE, Case, OpSpec
from ffnn_jax.layers import relu, relu_backward, relu_forward
from ffnn_jax.verify import Kink


def reference_relu(x: Array) -> Array:
    """Equation (17)."""
    return jnp.maximum(x, jnp.zeros_like(x))


def _open_at_zero(x: Array) -> tuple[Array, Array]:
    return relu_forward(x)[0], x >= 0


def _open_unless_negative(x: Array) -> tuple[Array, Array]:
    return relu_forward(x)[0], ~(x <= 0)


def _heaviside_slopes(x: Array) -> tuple[Array, Array]:
    half = jnp.full((), 0.5, x.dtype)
    return relu_forward(x)[0], jnp.where(x == 0, half, (x > 0).astype(x.dtype))


def _times(slope: Array, dz: Array) -> tuple[Array]:
    return (slope * dz,)


def _leaky(positive: Array, dz: Array) -> tuple[Array]:
    return (jnp.where(positive, dz, 1e-3 * dz),)


def _always_open(positive: Array, dz: Array) -> tuple[Array]:
    return (dz,)


def _inverted(positive: Array, dz: Array) -> tuple[Array]:
    return relu_backward(~positive, dz)


def _gated_by_the_cotangent(positive: Array, dz: Array) -> tuple[Array]:
    return relu_backward(dz > 0, dz)


def _previous_row(positive: Array, dz: Array) -> tuple[Array]:
    return relu_backward(jnp.roll(positive, 1, axis=0), dz)


RELU = OpSpec(
    op=relu,
    reference=reference_relu,
    arguments=("NxD",),
    cases=(Case(sizes=ELEMENTWISE),),
    batch="N",
    empty_batch=True,
    kinks=(
        Kink(
            "0 and -0",
            (np.array([[-1.0, 0.0, -0.0, 2.0]]),),
            np.array([[3.0, 5.0, 7.0, -11.0]]),
            (np.array([[0.0, 0.0, 0.0, -11.0]]),),
        ),
        Kink(
            "NaN and infinity",
            (np.array([[np.nan, np.inf, -np.inf]]),),
            np.array([[3.0, 5.0, 7.0]]),
            (np.array([[0.0, 5.0, 0.0]]),),
        ),
    ),
    faults=(
        Fault("slope 1 at 0", forward=_open_at_zero),
        Fault("slope 1/2 at 0", _times, _heaviside_slopes),
        Fault("slope 1 at NaN", forward=_open_unless_negative),
        Fault("slope 1e-3 below 0", _leaky),
        Fault("gate left out", _always_open),
        Fault("gate inverted", _inverted),
        Fault("gate from dz instead of x", _gated_by_the_cotangent),
        Fault("gate from the previous row", _previous_row),
    ),
)
