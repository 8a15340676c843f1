"""The equations of leaky relu; a factor x on both sides leaves the kink open, as they do."""

import functools

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._leaky_relu import reference_leaky_relu
from ffnn_jax.catalogue.equations._equation import Equation, cotangent, derivative, slope
from ffnn_jax.layers import leaky_relu

_SIZES, _SLOPE = {"D": 2}, 0.25
_leaky = functools.partial(reference_leaky_relu, slope=_SLOPE)


def _by_sign(x: Array, below: Array | float, above: Array | float) -> Array:
    return jnp.where(x < 0, below, above)


EQUATIONS = (
    Equation(
        "leaky.1", "z_i = max(x_i, 0) + slope min(x_i, 0)",
        lambda x: leaky_relu(x, _SLOPE),
        lambda x: jnp.maximum(x, 0) + _SLOPE * jnp.minimum(x, 0), "D", _SIZES,
    ),
    Equation(
        "leaky.2", "dz_i/dx_i = slope if x_i < 0, 1 if x_i > 0",
        lambda x: x * slope(_leaky)(x), lambda x: x * _by_sign(x, _SLOPE, 1.0), "D", _SIZES,
    ),
    Equation(
        "leaky.3", "dx_i = sum_l dz_l dz_l/dx_i = slope dz_i if x_i < 0, dz_i if x_i > 0",
        lambda x, dz: x * cotangent(_leaky)(x, dz),
        lambda x, dz: (
            x * jnp.einsum("l,li->i", dz, derivative(_leaky)(x)), x * _by_sign(x, _SLOPE * dz, dz)
        ),
        "D D", _SIZES,
    ),
)  # fmt: skip
