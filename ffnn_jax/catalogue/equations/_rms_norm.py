"""The equations of root-mean-square normalisation, for N rows or for one."""

import functools

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._rms_norm import reference_rms_norm
from ffnn_jax.catalogue.equations._equation import Equation, cotangent, derivative
from ffnn_jax.layers import rms_norm, rms_norm_forward

_SIZES, _EPS = {"N": 2, "C": 3}, 0.25
_norm = functools.partial(reference_rms_norm, eps=_EPS)


def _square(x: Array) -> Array:
    return 1 / x.shape[1] * jnp.einsum("nc->n", x**2)


def _rrms(x: Array) -> Array:
    return 1 / jnp.sqrt(_square(x) + _EPS)


def _x_hat(x: Array) -> Array:
    return x * _rrms(x)[:, None]


def _plain(x: Array) -> Array:
    """The row without scale, so that its dz is dx^."""
    return _norm(x, jnp.ones_like(x))


def _row(x: Array) -> tuple[Array, Array]:
    """The rrms and x^ of one row."""
    return _rrms(x[None, :])[0], _x_hat(x[None, :])[0]


def _by_entry(x: Array) -> Array:
    """The right side of (rms.7), over k and c."""
    rrms, x_hat = _row(x)
    return rrms * (jnp.eye(len(x)) - jnp.einsum("k,c->kc", x_hat, x_hat) / len(x))


def _dx(x: Array, dx_hat: Array) -> tuple[Array, Array]:
    """The right sides of (rms.8), of one row."""
    rrms, x_hat = _row(x)
    by_sum = jnp.einsum("k,kc->c", dx_hat, derivative(_plain)(x))
    return by_sum, rrms * (dx_hat - x_hat * (1 / len(x)) * jnp.sum(dx_hat * x_hat))


EQUATIONS = (
    Equation(
        "rms.1", "square = 1/C sum_c x_c^2",
        lambda *given: 1 / rms_norm_forward(*given, eps=_EPS)[1].rrms ** 2 - _EPS,
        lambda x, scale: _square(x), "NxC C", _SIZES,
    ),
    Equation(
        "rms.2", "rrms = 1 / sqrt(square + eps)",
        lambda *given: rms_norm_forward(*given, eps=_EPS)[1].rrms, lambda x, scale: _rrms(x),
        "NxC C", _SIZES,
    ),
    Equation(
        "rms.3", "x^_c = x_c rrms",
        lambda x: rms_norm(x, jnp.ones_like(x[0]), _EPS), _x_hat, "NxC", _SIZES,
    ),
    Equation(
        "rms.4", "z_c = scale_c x^_c",
        lambda *given: rms_norm(*given, eps=_EPS), lambda x, scale: scale[None, :] * _x_hat(x),
        "NxC C", _SIZES,
    ),
    Equation(
        "rms.5", "dscale_c = sum_n dz_nc x^_nc",
        cotangent(_norm, 1), lambda x, scale, dz: jnp.einsum("nc,nc->c", dz, _x_hat(x)),
        "NxC C NxC", _SIZES,
    ),
    Equation(
        "rms.6", "dx^_c = scale_c dz_c",
        cotangent(lambda x_hat, scale: scale[None, :] * x_hat),
        lambda x_hat, scale, dz: jnp.einsum("c,nc->nc", scale, dz), "NxC C NxC", _SIZES,
    ),
    Equation(
        "rms.7", "dx^_k/dx_c = rrms (delta_kc - x^_k x^_c / C)",
        derivative(_plain), _by_entry, "C", _SIZES,
    ),
    Equation(
        "rms.8",
        "dx_c = sum_k dx^_k dx^_k/dx_c = rrms (dx^_c - x^_c 1/C sum_k dx^_k x^_k)",
        cotangent(_norm), lambda x, scale, dz: _dx(x, scale * dz), "C C C", _SIZES,
    ),
)  # fmt: skip
