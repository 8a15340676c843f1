"""The equations of the addition of two branches."""

import operator

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue.equations._equation import Equation, cotangent, derivative
from ffnn_jax.layers import add

_SIZES = {"D": 3}


def _branch(u: Array) -> Array:
    """A function f of all entries of u."""
    return u**2 * jnp.roll(u, 1)


def _block(u: Array) -> Array:
    return operator.add(u, _branch(u))


def _selected(dz: Array) -> tuple[Array, Array]:
    """The sum over l of dz_l delta_il, and dz_i."""
    return jnp.einsum("l,il->i", dz, jnp.eye(len(dz))), dz


EQUATIONS = (
    Equation("add.1", "z_i = x_i + y_i", add, lambda x, y: x + y, "D D", _SIZES),
    Equation(
        "add.2", "dz_l/dx_i = delta_il, dz_l/dy_i = delta_il",
        lambda x, y: (derivative(operator.add)(x, y), derivative(operator.add, 1)(x, y)),
        lambda x, y: (jnp.eye(len(x)), jnp.eye(len(x))), "D D", _SIZES,
    ),
    Equation(
        "add.3", "dx_i = sum_l dz_l delta_il = dz_i",
        cotangent(operator.add), lambda x, y, dz: _selected(dz), "D D D", _SIZES,
    ),
    Equation(
        "add.3", "dy_i = sum_l dz_l delta_il = dz_i",
        cotangent(operator.add, 1), lambda x, y, dz: _selected(dz), "D D D", _SIZES,
    ),
    Equation(
        "add.4", "du_i = dz_i + sum_l dz_l df_l/du_i",
        cotangent(_block),
        lambda u, dz: dz + jnp.einsum("l,li->i", dz, derivative(_branch)(u)), "D D", _SIZES,
    ),
)  # fmt: skip
