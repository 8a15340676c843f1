"""The equations of the logistic sigmoid."""

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._sigmoid import reference_sigmoid
from ffnn_jax.catalogue.equations._equation import (
    Equation,
    cotangent,
    derivative,
    slope,
    slope_by_code,
)
from ffnn_jax.layers import sigmoid

_SIZES = {"D": 2}


def _of_e(x: Array) -> Array:
    e = jnp.exp(-jnp.abs(x))
    return jnp.where(x >= 0, 1 / (1 + e), e / (1 + e))


def _slopes(x: Array) -> tuple[Array, Array]:
    return slope(reference_sigmoid)(x), slope_by_code(sigmoid)(x)


def _of_u(x: Array) -> Array:
    u = 1 + jnp.exp(-x)
    return (-1 / u**2) * (-jnp.exp(-x))


EQUATIONS = (
    Equation(
        "sigmoid.1", "z_i = 1 / (1 + exp(-x_i))",
        sigmoid, lambda x: 1 / (1 + jnp.exp(-x)), "D", _SIZES,
    ),
    Equation(
        "sigmoid.2", "dz_i/dx_i = (-1 / u_i^2) (-exp(-x_i)) = exp(-x_i) / (1 + exp(-x_i))^2",
        slope(reference_sigmoid),
        lambda x: (_of_u(x), jnp.exp(-x) / (1 + jnp.exp(-x)) ** 2), "D", _SIZES,
    ),
    Equation(
        "sigmoid.3", "1 - z_i = exp(-x_i) / (1 + exp(-x_i)) = 1 / (1 + exp(x_i))",
        lambda x: 1 - sigmoid(x),
        lambda x: (jnp.exp(-x) / (1 + jnp.exp(-x)), 1 / (1 + jnp.exp(x))), "D", _SIZES,
    ),
    Equation(
        "sigmoid.4", "slope_i = dz_i/dx_i = z_i (1 - z_i)",
        _slopes, lambda x: (reference_sigmoid(x) * (1 - reference_sigmoid(x)),) * 2, "D", _SIZES,
    ),
    Equation(
        "sigmoid.5", "dx_i = sum_l dz_l dz_l/dx_i = dz_i slope_i",
        cotangent(reference_sigmoid),
        lambda x, dz: (
            jnp.einsum("l,li->i", dz, derivative(reference_sigmoid)(x)),
            dz * slope_by_code(sigmoid)(x),
        ),
        "D D", _SIZES,
    ),
    Equation(
        "sigmoid.6", "z_i = 1 / (1 + e_i) if x_i >= 0, e_i / (1 + e_i) if x_i < 0",
        reference_sigmoid, _of_e, "D", _SIZES,
    ),
)  # fmt: skip
