"""The equations of weight standardisation, for K outputs or for one."""

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue.equations._equation import Equation, cotangent
from ffnn_jax.layers import weight_standardisation, weight_standardisation_forward

_SIZES, _EPS = {"D": 3, "K": 2}, 0.25


def _mean(w: Array) -> Array:
    return 1 / len(w) * jnp.einsum("dk->k", w)


def _variance(w: Array) -> Array:
    return 1 / len(w) * jnp.einsum("dk->k", (w - _mean(w)[None, :]) ** 2)


def _rstd(w: Array) -> Array:
    return 1 / jnp.sqrt(_variance(w) + _EPS)


def _z(w: Array) -> Array:
    return (w - _mean(w)[None, :]) * _rstd(w)[None, :]


def _dw(w: Array, dz: Array) -> Array:
    """The right side of (weight.5)."""
    mean_dz, along = jnp.einsum("ek->k", dz) / len(w), jnp.einsum("ek,ek->k", dz, _z(w)) / len(w)
    return _rstd(w)[None, :] * (dz - mean_dz[None, :] - _z(w) * along[None, :])


def _sums(w: Array, dz: Array) -> tuple[Array, Array]:
    """The left sides of (weight.6)."""
    dw = cotangent(_z)(w, dz)
    return jnp.einsum("dk->k", dw), jnp.einsum("dk,dk->k", dw, _z(w))


EQUATIONS = (
    Equation(
        "weight.1", "mean = 1/D sum_d w_d",
        lambda w: weight_standardisation_forward(w, _EPS)[1].mean, _mean, "DxK", _SIZES,
    ),
    Equation(
        "weight.2", "variance = 1/D sum_d (w_d - mean)^2",
        lambda w: 1 / weight_standardisation_forward(w, _EPS)[1].rstd ** 2 - _EPS, _variance,
        "DxK", _SIZES,
    ),
    Equation(
        "weight.3", "rstd = 1 / sqrt(variance + eps)",
        lambda w: weight_standardisation_forward(w, _EPS)[1].rstd, _rstd, "DxK", _SIZES,
    ),
    Equation(
        "weight.4", "z_d = (w_d - mean) rstd",
        lambda w: weight_standardisation(w, _EPS), _z, "DxK", _SIZES,
    ),
    Equation(
        "weight.5", "dw_d = rstd (dz_d - 1/D sum_e dz_e - z_d 1/D sum_e dz_e z_e)",
        cotangent(_z), _dw, "DxK DxK", _SIZES,
    ),
    Equation(
        "weight.6", "sum_d dw_d = 0, sum_d dw_d z_d = eps rstd^3 sum_d dz_d z_d",
        _sums,
        lambda w, dz: (
            jnp.zeros_like(w[0]), _EPS * _rstd(w) ** 3 * jnp.einsum("dk,dk->k", dz, _z(w))
        ),
        "DxK DxK", _SIZES,
    ),
)  # fmt: skip
