"""The equations of the activations without a kink."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue import (
    GELU,
    GELU_TANH,
    MISH,
    SILU,
    SOFTPLUS,
    SOFTSIGN,
    TANH,
    OpSpec,
)
from ffnn_jax.catalogue._proofs import FAR
from ffnn_jax.catalogue._sigmoid import reference_sigmoid as s
from ffnn_jax.catalogue.equations._equation import Equation, slope, slope_by_code

exp, pi, sqrt = jnp.exp, jnp.pi, jnp.sqrt


def _value(tag: str, text: str, spec: OpSpec, *right: Callable[[Array], Array]) -> Equation:
    """The equation of a value: the code's is each of the functions."""
    return Equation(tag, text, spec.op, lambda x: tuple(z(x) for z in right), "1", within=FAR)


def _slope(tag: str, text: str, spec: OpSpec, *right: Callable[[Array], Array]) -> Equation:
    """The equation of a slope: the code's and autodiff's are each of the functions."""

    def left(x: Array) -> Any:
        of_code, by_autodiff = slope_by_code(spec.op)(x), slope(spec.reference)(x)
        return (of_code, *(by_autodiff for _ in right))

    return Equation(
        tag, text, left, lambda x: tuple(f(x) for f in (right[0], *right)), "1", within=FAR
    )


def _e(x: Array) -> Array:
    return exp(-2 * jnp.abs(x))


def _cumulative(x: Array) -> Array:
    """Phi."""
    return (1 + jax.lax.erf(x / 2**0.5)) / 2


def _density(x: Array) -> Array:
    """The density phi of the normal distribution."""
    return exp(-(x**2) / 2) / (2 * pi) ** 0.5


_K = (8 / pi) ** 0.5


def _v(x: Array) -> Array:
    return _K * (x + 0.044715 * x**3)


def _n(x: Array) -> Array:
    return exp(x) ** 2 + 2 * exp(x)


def _dt(x: Array) -> Array:
    """The t' of mish."""
    return 2 * (2 * exp(x) * (1 + exp(x))) / (_n(x) + 2) ** 2


def _t(x: Array) -> Array:
    return jnp.tanh(jnp.log(1 + exp(x)))


EQUATIONS = (
    _value(
        "smooth.1", "tanh z = (exp(x) - exp(-x)) / (exp(x) + exp(-x))",
        TANH, lambda x: (exp(x) - exp(-x)) / (exp(x) + exp(-x)),
    ),
    _slope(
        "smooth.2", "slope = 1 - z^2 = 4 e / (1 + e)^2",
        TANH, lambda x: 1 - jnp.tanh(x) ** 2, lambda x: 4 * _e(x) / (1 + _e(x)) ** 2,
    ),
    _value(
        "smooth.3", "softplus z = log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|))",
        SOFTPLUS, lambda x: jnp.log(1 + exp(x)),
        lambda x: jnp.maximum(x, 0) + jnp.log(1 + exp(-jnp.abs(x))),
    ),
    _slope(
        "smooth.4", "slope = exp(x) / (1 + exp(x)) = s",
        SOFTPLUS, lambda x: exp(x) / (1 + exp(x)), s,
    ),
    _value("smooth.5", "softsign z = x / (1 + |x|)", SOFTSIGN, lambda x: x / (1 + jnp.abs(x))),
    _slope(
        "smooth.6", "slope = (1 + |x| - x sign x) / (1 + |x|)^2 = 1 / (1 + |x|)^2",
        SOFTSIGN, lambda x: (1 + jnp.abs(x) - x * jnp.sign(x)) / (1 + jnp.abs(x)) ** 2,
        lambda x: 1 / (1 + jnp.abs(x)) ** 2,
    ),
    _value("smooth.7", "silu z = x s", SILU, lambda x: x * s(x)),
    _slope("smooth.8", "slope = s + x s (1 - s)", SILU, lambda x: s(x) + x * s(x) * (1 - s(x))),
    _value("smooth.9", "gelu z = x Phi", GELU, lambda x: x * _cumulative(x)),
    _slope(
        "smooth.10", "slope = Phi + x phi", GELU, lambda x: _cumulative(x) + x * _density(x),
    ),
    _value(
        "smooth.11",
        "gelu_tanh z = x (1 + tanh(v/2)) / 2 = x s(v), v = k (x + 0.044715 x^3)",
        GELU_TANH, lambda x: x * (1 + jnp.tanh(_v(x) / 2)) / 2, lambda x: x * s(_v(x)),
    ),
    _slope(
        "smooth.12", "slope = s(v) + x s(v) (1 - s(v)) k (1 + 3 0.044715 x^2)",
        GELU_TANH,
        lambda x: s(_v(x)) + x * s(_v(x)) * (1 - s(_v(x))) * _K * (1 + 3 * 0.044715 * x**2),
    ),
    _value(
        "smooth.13", "mish z = x t, t = tanh(log(1 + u)) = n / (n + 2), n = u^2 + 2 u",
        MISH, lambda x: x * _t(x), lambda x: x * _n(x) / (_n(x) + 2),
    ),
    _slope(
        "smooth.14", "slope = t + x t', t' = 2 n' / (n + 2)^2, n' = 2 u (1 + u)",
        MISH, lambda x: _t(x) + x * _dt(x), lambda x: _t(x) + x * slope(_t)(x),
    ),
)  # fmt: skip
