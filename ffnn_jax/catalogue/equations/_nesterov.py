"""The equations of gradient descent with Nesterov's momentum, for one parameter array."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue.equations._equation import Equation
from ffnn_jax.catalogue.equations._step import step
from ffnn_jax.optim import nesterov

_SIZES = {"D": 3}
_STEP = "D D D : : :"  # m, g, w, mu, alpha and lambda


def _step(m: Array, g: Array, w: Array, mu: Any, alpha: Any, decay: Any) -> tuple[Array, Array]:
    return step(nesterov(alpha, mu, decay), m, g, w)


def _g(g: Array, w: Array, decay: Array) -> Array:
    """The right side of (nesterov.1)."""
    return g + decay * w


def _m(m: Array, g: Array, w: Array, mu: Array, decay: Array) -> Array:
    return mu * m + _g(g, w, decay)


EQUATIONS = (
    Equation(
        "nesterov.1", "g~ = g + lambda w",
        lambda g, w, decay: _step(jnp.zeros_like(g), g, w, decay, decay, decay)[0], _g, "D D :",
        _SIZES,
    ),
    Equation(
        "nesterov.2", "m_n = mu m_{n-1} + g~",
        lambda *given: _step(*given)[0],
        lambda m, g, w, mu, alpha, decay: _m(m, g, w, mu, decay), _STEP, _SIZES,
    ),
    Equation(
        "nesterov.3", "w_{n+1} = w_n - alpha (g~ + mu m_n)",
        lambda *given: _step(*given)[1],
        lambda m, g, w, mu, alpha, decay: (
            w - alpha * (_g(g, w, decay) + mu * _m(m, g, w, mu, decay))
        ),
        _STEP, _SIZES,
    ),
)  # fmt: skip
