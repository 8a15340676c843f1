"""The equations of gradient descent with momentum, for one parameter array."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue.equations._equation import Equation
from ffnn_jax.catalogue.equations._step import step
from ffnn_jax.optim import decay_loss, momentum

_SIZES = {"D": 3}
_STEP = "D D D : : :"  # m, g, w, mu, alpha and lambda


def _step(
    m: Array, g: Array, w: Array, mu: Any, alpha: Any, decay: Any = 0.0
) -> tuple[Array, Array]:
    return step(momentum(alpha, mu, decay), m, g, w)


def _m(m: Array, g: Array, mu: Array) -> Array:
    return mu * m + (1 - mu) * g


EQUATIONS = (
    Equation(
        "24", "m_n = mu m_{n-1} + (1 - mu) g",
        lambda *given: _step(*given)[0], lambda m, g, w, mu, alpha, decay: _m(m, g, mu),
        _STEP, _SIZES,
    ),
    Equation(
        "25", "w_{n+1} = w_n - alpha m_n",
        lambda *given: _step(*given)[1],
        lambda m, g, w, mu, alpha: w - alpha * _m(m, g, mu), "D D D : :", _SIZES,
    ),
    Equation(
        "25", "w_{n+1} = w_n - alpha (m_n + lambda w_n)",
        lambda *given: _step(*given)[1],
        lambda m, g, w, mu, alpha, decay: w - alpha * (_m(m, g, mu) + decay * w), _STEP, _SIZES,
    ),
    Equation(
        "25", "R = lambda/2 sum w^2",
        lambda w, decay: (decay_loss(w, decay), jax.grad(decay_loss)(w, decay)),
        lambda w, decay: (decay / 2 * jnp.sum(w**2), decay * w), "D :", _SIZES,
    ),
)  # fmt: skip
