"""The equations that all activations share, of two examples: a cube, and a multiple of relu."""

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue.equations._equation import Equation, cotangent, derivative, slope
from ffnn_jax.layers._activations import elementwise

_SIZES, _C = {"D": 2}, 2.0


def _f(x: Array) -> Array:
    return x**3


def cube(x: Array) -> tuple[Array, Array]:
    """An activation of one slope per entry."""
    return x**3, 3 * x**2


def twice_relu(x: Array) -> tuple[Array, Array]:
    """An activation with the slopes 0 and c."""
    return _C * jnp.maximum(x, 0), x > 0


_CUBE = elementwise(cube)  # its forward, the operation and its backward
_TWICE_RELU = elementwise(twice_relu, _C)

EQUATIONS = (
    Equation(
        "act.1", "z_i = f(x_i), slope_i = f'(x_i)",
        lambda x: (_CUBE[1](x), slope(_f)(x)), lambda x: cube(x), "D", _SIZES,
    ),
    Equation(
        "act.2", "dx_i = sum_l dz_l dz_l/dx_i = dz_i slope_i",
        cotangent(_CUBE[1]),
        lambda x, dz: (jnp.einsum("l,li->i", dz, derivative(_f)(x)), dz * slope(_f)(x)),
        "D D", _SIZES,
    ),
    Equation(
        "act.3", "dx_i = c dz_i if slope_i = c, 0 if slope_i = 0",
        lambda x, dz: _TWICE_RELU[2](_TWICE_RELU[0](x)[1], dz)[0],
        lambda x, dz: jnp.where(jnp.where(x > 0, _C, 0.0) == _C, _C * dz, 0.0), "D D", _SIZES,
    ),
)  # fmt: skip
