"""The logistic sigmoid."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._faults import Fault, change_residuals
from ffnn_jax.catalogue._op_spec import ELEMENTWISE, Case, OpSpec
from ffnn_jax.layers import sigmoid, sigmoid_backward, sigmoid_forward
from ffnn_jax.verify import Kink

Forward = Callable[[Array], tuple[Array, Array]]


def reference_sigmoid(x: Array) -> Array:
    """Equation (sigmoid.1)."""
    return 1 / (1 + jnp.exp(-x))


def _slope_from_z(slope: Callable[[Array], Array]) -> Forward:
    """The correct forward, with a different slope as the residual."""

    def forward(x: Array) -> tuple[Array, Array]:
        z, _ = sigmoid_forward(x)
        return z, slope(z)

    return forward


def _slope_from_x(x: Array) -> tuple[Array, Array]:
    return sigmoid_forward(x)[0], x * (1 - x)


def _zero_beyond_1(x: Array) -> tuple[Array, Array]:
    z, slope = sigmoid_forward(x)
    return z, jnp.where(jnp.abs(x) > 1, jnp.zeros_like(x), slope)


def _hard_sigmoid(x: Array) -> tuple[Array, Array]:
    return jnp.clip(x / 4 + 0.5, 0, 1), sigmoid_forward(x)[1]


def _overflowing(x: Array) -> tuple[Array, Array]:
    e = jnp.exp(x)
    z = e / (1 + e)
    return z, z * (1 - z)


def _slope_from_dz(slope: Array, dz: Array) -> tuple[Array]:
    return sigmoid_backward(sigmoid_forward(dz)[1], dz)


def _previous_row(slope: Array) -> Array:
    return jnp.roll(slope, 1, axis=0)


SIGMOID = OpSpec(
    op=sigmoid,
    reference=reference_sigmoid,
    arguments=("NxD",),
    cases=(Case(sizes=ELEMENTWISE),),
    batch="N",
    empty_batch=True,
    kinks=(
        Kink(
            "0, 1e4, infinity and NaN",
            (np.array([[0.0, -0.0, 1e4, np.inf, -np.inf, np.nan]]),),
            np.array([[3.0, -5.0, 5.0, 7.0, 11.0, 13.0]]),
            (np.array([[0.75, -1.25, 0.0, 0.0, 0.0, np.nan]]),),
        ),
    ),
    faults=(
        Fault("1 - z left out of (sigmoid.4)", forward=_slope_from_z(lambda z: z)),
        Fault("z left out of (sigmoid.4)", forward=_slope_from_z(lambda z: 1 - z)),
        Fault("z instead of 1 - z", forward=_slope_from_z(lambda z: z * z)),
        Fault("1 + z instead of 1 - z", forward=_slope_from_z(lambda z: z * (1 + z))),
        Fault("slope of tanh", forward=_slope_from_z(lambda z: 1 - z * z)),
        Fault("slope 1/4 everywhere", forward=_slope_from_z(lambda z: jnp.full_like(z, 0.25))),
        Fault("slope from x instead of z", forward=_slope_from_x),
        Fault("slope 0 where |x| > 1", forward=_zero_beyond_1),
        Fault("hard sigmoid in the forward", forward=_hard_sigmoid),
        Fault("overflowing exponential", forward=_overflowing),
        Fault("slope from dz instead of x", _slope_from_dz),
        Fault("slope from the previous row", change_residuals(sigmoid_backward, _previous_row)),
    ),
)
