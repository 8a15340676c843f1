"""The equations of Muon, for one kernel as a matrix, with the norm as the code has it."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue.equations._equation import Equation
from ffnn_jax.catalogue.equations._step import step
from ffnn_jax.optim import muon
from ffnn_jax.optim._muon import orthogonalised

_A, _B, _C = 3.4445, -4.775, 2.0315
_SIZES, _ROW = {"D": 2, "K": 3}, {"D": 1, "K": 2}
WITHOUT_ALGEBRA = {
    "muon.3": "U V^T is a singular value decomposition's, which (muon.4) approaches",
}


def _norm(array: Array) -> Array:
    return jnp.sqrt(jnp.sum(array**2)) + 1e-7


def _step(m: Array, g: Array, w: Array, mu: Any, alpha: float) -> tuple[Array, Array]:
    """An update with one round in float64."""
    return step(muon(alpha, mu, rounds=1, dtype="float64"), m, g, w)


def _direction(m: Array, g: Array, mu: Array) -> Array:
    """What an update of learning rate 1 subtracts."""
    w = jnp.ones_like(g)
    return _step(m, g, w, mu, 0.0)[1] - _step(m, g, w, mu, 1.0)[1]


def _averaged(m: Array, g: Array, mu: Array) -> tuple[Array, Array]:
    """The right sides of (muon.1)."""
    m = mu * m + g
    return m, g + mu * m


def _round(x: Array) -> Array:
    """A round of (muon.4)."""
    gram = x @ x.T
    return _A * x + (_B * gram + _C * gram @ gram) @ x


EQUATIONS = (
    Equation(
        "muon.1", "M_n = mu M_{n-1} + G, G~ = G + mu M_n",
        lambda m, g, mu: (_step(m, g, g, mu, 0.0)[0], _direction(m, g, mu)),
        lambda m, g, mu: (
            _averaged(m, g, mu)[0], orthogonalised(_averaged(m, g, mu)[1], 1, "float64")
        ),
        "DxK DxK :", _ROW,
    ),
    Equation(
        "muon.2", "W <- sqrt(K) W / |W|",
        lambda w: _step(jnp.zeros_like(w), jnp.ones_like(w), w, 0.6, 0.0)[1],
        lambda w: jnp.sqrt(float(w.shape[1])) * w / _norm(w), "DxK", _SIZES,
    ),
    Equation(
        "muon.4", "X_0 = G~ / |G~|, A = X X^T, X <- a X + (b A + c A A) X",
        lambda g: (orthogonalised(g, 1, "float64"), orthogonalised(g.T, 1, "float64")),
        lambda g: (_round(g / _norm(g)), _round(g.T / _norm(g))), "DxK", _SIZES,
    ),
)  # fmt: skip
