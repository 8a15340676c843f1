"""The leaky rectified linear unit."""

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._faults import Fault, change_residuals
from ffnn_jax.catalogue._op_spec import ELEMENTWISE, Case, OpSpec
from ffnn_jax.layers import leaky_relu, leaky_relu_backward, leaky_relu_forward, relu_backward
from ffnn_jax.verify import Kink

_STEEP = 1


def reference_leaky_relu(x: Array, slope: float = 0.01) -> Array:
    """Equation (leaky.1)."""
    return jnp.maximum(x, jnp.zeros_like(x)) + slope * jnp.minimum(x, jnp.zeros_like(x))


def _open_at_zero(x: Array, slope: float) -> tuple[Array, Array]:
    return leaky_relu_forward(x, slope)[0], x >= 0


def _open_unless_negative(x: Array, slope: float) -> tuple[Array, Array]:
    return leaky_relu_forward(x, slope)[0], ~(x <= 0)


def _save_x(x: Array, slope: float) -> tuple[Array, Array]:
    return leaky_relu_forward(x, slope)[0], x


def _halfway_at_zero(slope: float, x: Array, dz: Array) -> tuple[Array]:
    (dx,) = leaky_relu_backward(slope, x > 0, dz)
    return (jnp.where(x == 0, (1 + slope) / 2 * dz, dx),)


def _zero_below(slope: float, positive: Array, dz: Array) -> tuple[Array]:
    return relu_backward(positive, dz)


def _slope_squared(slope: float, positive: Array, dz: Array) -> tuple[Array]:
    return leaky_relu_backward(slope**2, positive, dz)


def _slope_negated(slope: float, positive: Array, dz: Array) -> tuple[Array]:
    return leaky_relu_backward(-slope, positive, dz)


def _default_slope(slope: float, positive: Array, dz: Array) -> tuple[Array]:
    return leaky_relu_backward(0.01, positive, dz)


def _always_open(slope: float, positive: Array, dz: Array) -> tuple[Array]:
    return (dz,)


def _gated_by_the_cotangent(slope: float, positive: Array, dz: Array) -> tuple[Array]:
    return leaky_relu_backward(slope, dz > 0, dz)


def _previous_row(positive: Array) -> Array:
    return jnp.roll(positive, 1, axis=0)


LEAKY_RELU = OpSpec(
    op=leaky_relu,
    reference=reference_leaky_relu,
    arguments=("NxD",),
    cases=(
        Case(sizes=ELEMENTWISE, static={"slope": 0.01}),
        Case(sizes=({"N": 3, "D": 4},), static={"slope": 0.3}),
    ),
    batch="N",
    empty_batch=True,
    kinks=(
        Kink(
            "0, infinity and NaN",
            (np.array([[0.0, -0.0, 2.0, np.nan, np.inf, -np.inf]]),),
            np.array([[5.0, 7.0, -11.0, 3.0, 5.0, 7.0]]),
            (np.array([[0.01 * 5.0, 0.01 * 7.0, -11.0, 0.01 * 3.0, 5.0, 0.01 * 7.0]]),),
        ),
    ),
    faults=(
        Fault("slope 1 at 0", forward=_open_at_zero),
        Fault("mean of both slopes at 0", _halfway_at_zero, _save_x),
        Fault("slope 1 at NaN", forward=_open_unless_negative),
        Fault("slope 0 below 0", _zero_below),
        Fault("slope squared", _slope_squared, case=_STEEP),
        Fault("slope negated", _slope_negated),
        Fault("default slope instead of the given one", _default_slope, case=_STEEP),
        Fault("gate left out", _always_open),
        Fault("gate inverted", change_residuals(leaky_relu_backward, jnp.logical_not)),
        Fault("gate from dz instead of x", _gated_by_the_cotangent),
        Fault("gate from the previous row", change_residuals(leaky_relu_backward, _previous_row)),
    ),
)
