"""The equations of layer normalisation, for N rows or for one."""

import functools

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._layer_norm import reference_layer_norm
from ffnn_jax.catalogue.equations._equation import Equation, cotangent, derivative
from ffnn_jax.layers import layer_norm, layer_norm_forward

_SIZES, _EPS = {"N": 2, "C": 3}, 0.25
_GIVEN, _GIVEN_DZ = "NxC C C", "NxC C C NxC"
_layer = functools.partial(reference_layer_norm, eps=_EPS)


def _mean(x: Array) -> Array:
    return 1 / x.shape[1] * jnp.einsum("nc->n", x)


def _variance(x: Array) -> Array:
    return 1 / x.shape[1] * jnp.einsum("nc->n", (x - _mean(x)[:, None]) ** 2)


def _rstd(x: Array) -> Array:
    return 1 / jnp.sqrt(_variance(x) + _EPS)


def _x_hat(x: Array) -> Array:
    return (x - _mean(x)[:, None]) * _rstd(x)[:, None]


def _plain(x: Array) -> Array:
    """The row without scale and shift, so that its dz is dx^."""
    return _layer(x, jnp.ones_like(x), jnp.zeros_like(x))


def _row(x: Array) -> tuple[Array, Array]:
    """The rstd and x^ of one row."""
    return _rstd(x[None, :])[0], _x_hat(x[None, :])[0]


def _by_entry(x: Array) -> Array:
    """The right side of (layer.9), over k and c."""
    (rstd, x_hat), count = _row(x), len(x)
    return rstd * (jnp.eye(count) - 1 / count - jnp.einsum("k,c->kc", x_hat, x_hat) / count)


def _dx(x: Array, dx_hat: Array) -> tuple[Array, Array]:
    """The right sides of (layer.10), of one row."""
    (rstd, x_hat), count = _row(x), len(x)
    along = x_hat * (1 / count) * jnp.sum(dx_hat * x_hat)
    by_sum = jnp.einsum("k,kc->c", dx_hat, derivative(_plain)(x))
    return by_sum, rstd * (dx_hat - 1 / count * jnp.sum(dx_hat) - along)


EQUATIONS = (
    Equation(
        "layer.1", "mean = 1/C sum_c x_c",
        lambda *given: layer_norm_forward(*given, eps=_EPS)[1].mean, lambda x, *_: _mean(x),
        _GIVEN, _SIZES,
    ),
    Equation(
        "layer.2", "variance = 1/C sum_c (x_c - mean)^2",
        lambda *given: 1 / layer_norm_forward(*given, eps=_EPS)[1].rstd ** 2 - _EPS,
        lambda x, *_: _variance(x), _GIVEN, _SIZES,
    ),
    Equation(
        "layer.3", "rstd = 1 / sqrt(variance + eps)",
        lambda *given: layer_norm_forward(*given, eps=_EPS)[1].rstd, lambda x, *_: _rstd(x),
        _GIVEN, _SIZES,
    ),
    Equation(
        "layer.4", "x^_c = (x_c - mean) rstd",
        lambda x: layer_norm(x, jnp.ones_like(x[0]), jnp.zeros_like(x[0]), _EPS), _x_hat,
        "NxC", _SIZES,
    ),
    Equation(
        "layer.5", "z_c = scale_c x^_c + shift_c",
        lambda *given: layer_norm(*given, eps=_EPS),
        lambda x, scale, shift: scale[None, :] * _x_hat(x) + shift[None, :], _GIVEN, _SIZES,
    ),
    Equation(
        "layer.6", "dshift_c = sum_n dz_nc",
        cotangent(_layer, 2), lambda x, scale, shift, dz: jnp.einsum("nc->c", dz),
        _GIVEN_DZ, _SIZES,
    ),
    Equation(
        "layer.7", "dscale_c = sum_n dz_nc x^_nc",
        cotangent(_layer, 1), lambda x, scale, shift, dz: jnp.einsum("nc,nc->c", dz, _x_hat(x)),
        _GIVEN_DZ, _SIZES,
    ),
    Equation(
        "layer.8", "dx^_c = scale_c dz_c",
        cotangent(lambda x_hat, scale, shift: scale[None, :] * x_hat + shift[None, :]),
        lambda x_hat, scale, shift, dz: jnp.einsum("c,nc->nc", scale, dz), _GIVEN_DZ, _SIZES,
    ),
    Equation(
        "layer.9", "dx^_k/dx_c = rstd (delta_kc - 1/C - x^_k x^_c / C)",
        derivative(_plain), _by_entry, "C", _SIZES,
    ),
    Equation(
        "layer.10",
        "dx_c = sum_k dx^_k dx^_k/dx_c"
        " = rstd (dx^_c - 1/C sum_k dx^_k - x^_c 1/C sum_k dx^_k x^_k)",
        cotangent(_layer), lambda x, scale, shift, dz: _dx(x, scale * dz), "C C C C", _SIZES,
    ),
    Equation(
        "layer.11", "sum_c dx_c = 0",
        lambda *given: jnp.sum(cotangent(_layer)(*given)), lambda *_: jnp.zeros(()),
        "C C C C", _SIZES,
    ),
    Equation(
        "layer.12", "sum_c dx_c x^_c = eps rstd^3 sum_c dx^_c x^_c",
        lambda x, *others: jnp.sum(cotangent(_layer)(x, *others) * _row(x)[1]),
        lambda x, scale, shift, dz: _EPS * _row(x)[0] ** 3 * jnp.sum(scale * dz * _row(x)[1]),
        "C C C C", _SIZES,
    ),
)  # fmt: skip
