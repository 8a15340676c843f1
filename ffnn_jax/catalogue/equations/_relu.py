"""The equations of relu; a factor x on both sides leaves the kink open, as they do."""

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._relu import reference_relu
from ffnn_jax.catalogue.equations._equation import Equation, cotangent, derivative, slope
from ffnn_jax.layers import relu

_SIZES = {"D": 2}


def _by_sign(x: Array, below: Array | float, above: Array | float) -> Array:
    return jnp.where(x < 0, below, above)


EQUATIONS = (
    Equation("17", "z_i = max(x_i, 0)", relu, lambda x: jnp.maximum(x, 0), "D", _SIZES),
    Equation(
        "18", "dz_i/dx_i = 0 if x_i < 0, 1 if x_i > 0",
        lambda x: x * slope(reference_relu)(x), lambda x: x * _by_sign(x, 0.0, 1.0), "D", _SIZES,
    ),
    Equation(
        "19", "dx_i = sum_l dz_l dz_l/dx_i = 0 if x_i < 0, dz_i if x_i > 0",
        lambda x, dz: x * cotangent(reference_relu)(x, dz),
        lambda x, dz: (
            x * jnp.einsum("l,li->i", dz, derivative(reference_relu)(x)), x * _by_sign(x, 0.0, dz)
        ),
        "D D", _SIZES,
    ),
)  # fmt: skip
