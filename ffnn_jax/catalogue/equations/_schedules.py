"""The equation of the triangular schedule, for every update n of T."""

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue.equations._equation import Equation
from ffnn_jax.optim import triangular

_T, _R = 8, 2  # a fifth of T, rounded up
_SIZES = {"T": _T}
WITHOUT_ALGEBRA = {"schedule.2": "lines between points: the algebra has no order of jnp.interp's"}


def _triangular(peak: Array, n: Array) -> Array:
    """The right side of (schedule.1)."""
    n = n.astype(float)
    return peak * jnp.minimum((n + 1) / _R, (_T - n) / (_T - _R))


EQUATIONS = (
    Equation(
        "schedule.1", "alpha_n = peak min((n + 1) / r, (T - n) / (T - r))",
        lambda peak, n: triangular(peak, _T)(n.astype(int)),
        _triangular, ": :int<T", _SIZES,
    ),
)  # fmt: skip
