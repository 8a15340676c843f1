"""The logistic sigmoid."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._faults import Fault, keeping
from ffnn_jax.catalogue._op_spec import ELEMENTWISE, Case, OpSpec
from ffnn_jax.layers import sigmoid, sigmoid_backward, sigmoid_forward
from ffnn_jax.verify import Kink

Forward = Callable[[Array], tuple[Array, Array]]


def reference_sigmoid(x: Array) -> Array:
    """Equation (sigmoid.1)."""
    return 1 / (1 + jnp.exp(-x))


def _slope_from_z(slope: Callable[[Array], Array]) -> Forward:
    """The right forward, with another slope kept."""

    def forward(x: Array) -> tuple[Array, Array]:
        z, _ = sigmoid_forward(x)
        return z, slope(z)

    return forward


def _slope_from_x(x: Array) -> tuple[Array, Array]:
    return sigmoid_forward(x)[0], x * (1 - x)


def _flat_beyond_1(x: Array) -> tuple[Array, Array]:
    z, slope = sigmoid_forward(x)
    return z, jnp.where(jnp.abs(x) > 1, jnp.zeros_like(x), slope)


def _hard(x: Array) -> tuple[Array, Array]:
    return jnp.clip(x / 4 + 0.5, 0, 1), sigmoid_forward(x)[1]


def _overflowing(x: Array) -> tuple[Array, Array]:
    e = jnp.exp(x)
    z = e / (1 + e)
    return z, z * (1 - z)


def _of_the_cotangent(slope: Array, dz: Array) -> tuple[Array]:
    return sigmoid_backward(sigmoid_forward(dz)[1], dz)


def _row_before(slope: Array) -> Array:
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
            "0 and -0",
            (np.array([[0.0, -0.0]]),),
            np.array([[3.0, -5.0]]),
            (np.array([[0.75, -1.25]]),),
        ),
        Kink(
            "1e4, infinity and NaN",
            (np.array([[1e4, -1e4, np.inf, -np.inf, np.nan]]),),
            np.array([[3.0, 5.0, 7.0, 11.0, 13.0]]),
            (np.array([[0.0, 0.0, 0.0, 0.0, np.nan]]),),
        ),
    ),
    faults=(
        Fault("1 - z left out of (sigmoid.4)", forward=_slope_from_z(lambda z: z)),
        Fault("z left out of (sigmoid.4)", forward=_slope_from_z(lambda z: 1 - z)),
        Fault("z for 1 - z", forward=_slope_from_z(lambda z: z * z)),
        Fault("1 + z for 1 - z", forward=_slope_from_z(lambda z: z * (1 + z))),
        Fault("slope of tanh", forward=_slope_from_z(lambda z: 1 - z * z)),
        Fault("slope 1/4 everywhere", forward=_slope_from_z(lambda z: jnp.full_like(z, 0.25))),
        Fault("x for z", forward=_slope_from_x),
        Fault("slope 0 beyond 1 and -1", forward=_flat_beyond_1),
        Fault("straight lines for z", forward=_hard),
        Fault("exponential that overflows", forward=_overflowing),
        Fault("slope of dz in place of x", _of_the_cotangent),
        Fault("slope of the row before", keeping(sigmoid_backward, _row_before)),
    ),
)
