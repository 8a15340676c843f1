"""The equations of the activations in pieces."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array

from ffnn_jax import layers
from ffnn_jax.catalogue._activations import _ALPHA, _LAMBDA
from ffnn_jax.catalogue.equations._equation import Equation, cotangent, slope, slope_by_code

exp, where, minimum, maximum = jnp.exp, jnp.where, jnp.minimum, jnp.maximum
Function = Callable[..., Array]
_SIZES, _SETTING = {"M": 2, "C": 1}, 0.5


def _equation(
    tag: str, text: str, op: Any, z: Function, slope_: Function, kinks: Any, *static: float
) -> Equation:
    """The equation of z and the slope: by the code, and by autodiff off the kinks."""

    def off_the_kinks(x: Array, slopes: Array) -> Array:
        return math.prod((x - kink for kink in kinks), start=slopes)

    def left(x: Array) -> tuple[Array, Array, Array]:
        by_autodiff = slope(lambda x: z(x, *static))(x)
        return op(x, *static), slope_by_code(op, *static)(x), off_the_kinks(x, by_autodiff)

    def right(x: Array) -> tuple[Array, Array, Array]:
        slopes = slope_(x, *static)
        return z(x, *static), slopes, off_the_kinks(x, slopes)

    return Equation(tag, text, left, right, "1")


def _elu(x: Array, alpha: float = _ALPHA) -> Array:
    return where(x > 0, x, alpha * (exp(x) - 1))


def _elu_slope(x: Array, alpha: float = _ALPHA) -> Array:
    return where(x > 0, 1.0, alpha * exp(x))


def _h(x: Array) -> Array:
    return minimum(maximum(x + 3, 0), 6) / 6


def _within(x: Array, low: float, high: float) -> Array:
    """[low < x < high]."""
    return where((x > low) & (x < high), 1.0, 0.0)


def _prelu(x: Array, slopes: Array) -> Array:
    return where(x > 0, x, slopes[None, :] * x)


EQUATIONS = (
    _equation(
        "piecewise.1", "elu z, slope = x, 1 if x > 0; alpha (exp(x) - 1), alpha exp(x) if x <= 0",
        layers.elu, _elu, _elu_slope, (), _SETTING,
    ),
    _equation(
        "piecewise.2", "selu z, slope = those of elu times lambda",
        layers.selu, lambda x: _LAMBDA * _elu(x), lambda x: _LAMBDA * _elu_slope(x), (),
    ),
    _equation(
        "piecewise.3",
        "celu z, slope = x, 1 if x > 0; alpha (exp(x/alpha) - 1), exp(x/alpha) if x <= 0",
        layers.celu, lambda x, alpha: where(x > 0, x, alpha * (exp(x / alpha) - 1)),
        lambda x, alpha: where(x > 0, 1.0, exp(x / alpha)), (), _SETTING,
    ),
    _equation(
        "piecewise.4", "relu6 z = min(max(x, 0), 6), slope = [0 < x < 6]",
        layers.relu6, lambda x: minimum(maximum(x, 0), 6), lambda x: _within(x, 0, 6), (0, 6),
    ),
    _equation(
        "piecewise.5", "hard_tanh z = min(max(x, -1), 1), slope = [-1 < x < 1]",
        layers.hard_tanh, lambda x: minimum(maximum(x, -1), 1), lambda x: _within(x, -1, 1),
        (-1, 1),
    ),
    _equation(
        "piecewise.6",
        "hard_sigmoid z = h = min(max(x + 3, 0), 6) / 6, slope = 1/6 [-3 < x < 3]",
        layers.hard_sigmoid, _h, lambda x: 1 / 6 * _within(x, -3, 3), (-3, 3),
    ),
    _equation(
        "piecewise.7", "hard_swish z = x h, slope = h + x/6 [-3 < x < 3]",
        layers.hard_swish, lambda x: x * _h(x), lambda x: _h(x) + x / 6 * _within(x, -3, 3),
        (-3, 3),
    ),
    Equation(
        "piecewise.8", "z_mc = x_mc if x_mc > 0, slope_c x_mc if x_mc <= 0",
        layers.prelu, _prelu, "MxC C", _SIZES,
    ),
    Equation(
        "piecewise.9", "dx_mc = dz_mc if x_mc > 0, slope_c dz_mc if x_mc <= 0",
        cotangent(_prelu), lambda x, slopes, dz: where(x > 0, dz, slopes[None, :] * dz),
        "MxC C MxC", _SIZES,
    ),
    Equation(
        "piecewise.10", "dslope_c = sum_m dz_mc min(x_mc, 0)",
        cotangent(_prelu, 1), lambda x, slopes, dz: jnp.einsum("mc,mc->c", dz, minimum(x, 0)),
        "MxC C MxC", _SIZES,
    ),
)  # fmt: skip
