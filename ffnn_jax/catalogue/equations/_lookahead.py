"""The equations of Lookahead, for every number of updates at which both parameters meet."""

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue.equations._equation import Equation
from ffnn_jax.optim import Lookahead

_K, _T = 2, 6
_SIZES = {"D": 3, "M": _T // _K}


def _met(slow: Array, fast: Array, beta: Array, meeting: Array) -> tuple[Array, Array]:
    """The slow and the fast parameters after k times the meeting's number of updates."""
    return Lookahead(_K, _T, beta)(slow, fast, _K * meeting)  # type: ignore[arg-type]


def _share(beta: Array, meeting: Array) -> Array:
    """The right side of (lookahead.1)."""
    return beta**_K * (_K * meeting.astype(float) / _T) ** 3


def _slow(slow: Array, fast: Array, beta: Array, meeting: Array) -> Array:
    """The first right side of (lookahead.2)."""
    share = _share(beta, meeting)
    return share * slow + (1 - share) * fast


EQUATIONS = (
    Equation(
        "lookahead.1", "beta_n = beta^k (n / T)^3",
        lambda beta, meeting: _met(jnp.ones(()), jnp.zeros(()), beta, meeting)[0], _share,
        ": :int<M", _SIZES,
    ),
    Equation(
        "lookahead.2", "s <- beta_n s + (1 - beta_n) w, w <- s",
        _met, lambda *given: (_slow(*given), _slow(*given)), "D D : :int<M", _SIZES,
    ),
)  # fmt: skip
