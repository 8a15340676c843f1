"""The equations of dropout, for every mask."""

import functools

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._dropout import reference_dropout
from ffnn_jax.catalogue.equations._equation import Equation, cotangent, derivative
from ffnn_jax.layers import dropout

_SIZES, _RATE = {"D": 3}, 0.25
_dropped = functools.partial(reference_dropout, rate=_RATE)


def _expected(x: Array) -> Array:
    """The mean over both values of every entry's mask, by their probabilities."""
    kept, dropped = (dropout(x, jnp.full(x.shape, value), _RATE) for value in (True, False))
    return (1 - _RATE) * kept + _RATE * dropped


EQUATIONS = (
    Equation(
        "dropout.1", "z_i = m_i x_i / (1 - rate)",
        lambda x, m: dropout(x, m, _RATE), lambda x, m: m.astype(float) * x / (1 - _RATE),
        "D D:bool", _SIZES,
    ),
    Equation(
        "dropout.2", "E[z_i] = (1 - rate) x_i / (1 - rate) = x_i",
        _expected, lambda x: ((1 - _RATE) * x / (1 - _RATE), x), "D", _SIZES,
    ),
    Equation(
        "dropout.3", "dz_i/dx_i = m_i / (1 - rate)",
        derivative(_dropped), lambda x, m: jnp.diag(m.astype(float) / (1 - _RATE)),
        "D D:bool", _SIZES,
    ),
    Equation(
        "dropout.4", "dx_i = dz_i m_i / (1 - rate)",
        cotangent(_dropped), lambda x, m, dz: dz * m.astype(float) / (1 - _RATE),
        "D D:bool D", _SIZES,
    ),
)  # fmt: skip
