"""The equations of group and instance normalisation, with the channels as G groups of K."""

import functools

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._group_norm import reference_group_norm, reference_instance_norm
from ffnn_jax.catalogue.equations._equation import Equation, cotangent
from ffnn_jax.layers import group_norm, group_norm_forward

_G, _EPS = 2, 0.25
_SIZES = {"N": 2, "P": 1, "C": 3 * _G}
_ONE_IMAGE = {"P": 2, "C": 2 * _G}
_GIVEN, _GIVEN_DZ, _ONE_DZ = "NxPxC C C", "NxPxC C C NxPxC", "1xPxC C C 1xPxC"
_forward = functools.partial(group_norm_forward, groups=_G, eps=_EPS)
_group = functools.partial(reference_group_norm, groups=_G, eps=_EPS)


def _cut(x: Array) -> Array:
    """(N, P, C) as (N, P, G, K)."""
    return x.reshape(*x.shape[:-1], _G, x.shape[-1] // _G)


def _of_group(means: Array) -> Array:
    """(N, G), to be broadcast over pixels and channels."""
    return means[:, None, :, None]


def _mean(x: Array) -> Array:
    return jnp.einsum("npgk->ng", _cut(x)) / (x.shape[1] * x.shape[2] / _G)


def _centred(x: Array) -> Array:
    return _cut(x) - _of_group(_mean(x))


def _variance(x: Array) -> Array:
    return jnp.einsum("npgk->ng", _centred(x) ** 2) / (x.shape[1] * x.shape[2] / _G)


def _rstd(x: Array) -> Array:
    return 1 / jnp.sqrt(_variance(x) + _EPS)


def _x_hat(x: Array) -> Array:
    """x^ as (N, P, C)."""
    return (_centred(x) * _of_group(_rstd(x))).reshape(x.shape)


def _dx(x: Array, dx_hat: Array) -> Array:
    """The right side of (group.9)."""
    x_hat, cut = _cut(_x_hat(x)), _cut(dx_hat)
    count = x_hat[0, :, 0].size
    mean, along = (1 / count * jnp.einsum("nqgj->ng", terms) for terms in (cut, cut * x_hat))
    dx = _of_group(_rstd(x)) * (cut - _of_group(mean) - x_hat * _of_group(along))
    return dx.reshape(x.shape)


def _dx_of_channel(x: Array, scale: Array, shift: Array, dz: Array) -> Array:
    """The right side of (group.10), of one channel with P pixels."""
    centred, count = x - jnp.mean(x), len(x)
    rstd = 1 / jnp.sqrt(jnp.mean(centred**2) + _EPS)
    x_hat = centred * rstd
    along = x_hat * (1 / count) * jnp.sum(dz * x_hat)
    return scale * rstd * (dz - 1 / count * jnp.sum(dz) - along)


def _instance(x: Array, scale: Array, shift: Array) -> Array:
    """Instance normalisation of one image with one channel."""
    z = reference_instance_norm(x[None, :, None], scale[None], shift[None], _EPS)
    return z[0, :, 0]


EQUATIONS = (
    Equation(
        "group.1", "mean = 1/M sum_pk x_pk",
        lambda *given: _forward(*given)[1].mean, lambda x, *_: _mean(x), _GIVEN, _SIZES,
    ),
    Equation(
        "group.2", "variance = 1/M sum_pk (x_pk - mean)^2",
        lambda *given: 1 / _forward(*given)[1].rstd ** 2 - _EPS, lambda x, *_: _variance(x),
        _GIVEN, _SIZES,
    ),
    Equation(
        "group.3", "rstd = 1 / sqrt(variance + eps)",
        lambda *given: _forward(*given)[1].rstd, lambda x, *_: _rstd(x), _GIVEN, _SIZES,
    ),
    Equation(
        "group.4", "x^_pk = (x_pk - mean) rstd",
        lambda x: group_norm(x, jnp.ones_like(x[0, 0]), jnp.zeros_like(x[0, 0]), _G, _EPS),
        _x_hat, "NxPxC", _SIZES,
    ),
    Equation(
        "group.5", "z_pk = scale_k x^_pk + shift_k",
        lambda *given: group_norm(*given, groups=_G, eps=_EPS),
        lambda x, scale, shift: scale[None, None, :] * _x_hat(x) + shift[None, None, :],
        _GIVEN, _SIZES,
    ),
    Equation(
        "group.6", "dshift_k = sum_np dz_npk",
        cotangent(_group, 2), lambda x, scale, shift, dz: jnp.einsum("npk->k", dz),
        _GIVEN_DZ, _SIZES,
    ),
    Equation(
        "group.7", "dscale_k = sum_np dz_npk x^_npk",
        cotangent(_group, 1),
        lambda x, scale, shift, dz: jnp.einsum("npk,npk->k", dz, _x_hat(x)), _GIVEN_DZ, _SIZES,
    ),
    Equation(
        "group.8", "dx^_pk = scale_k dz_pk",
        cotangent(lambda x_hat, scale, shift: scale[None, None] * x_hat + shift[None, None]),
        lambda x_hat, scale, shift, dz: jnp.einsum("k,npk->npk", scale, dz), _GIVEN_DZ, _SIZES,
    ),
    Equation(
        "group.9",
        "dx_pk = rstd (dx^_pk - 1/M sum_qj dx^_qj - x^_pk 1/M sum_qj dx^_qj x^_qj)",
        cotangent(_group),
        lambda x, scale, shift, dz: _dx(x, jnp.einsum("k,npk->npk", scale, dz)),
        _ONE_DZ, _ONE_IMAGE,
    ),
    Equation(
        "group.10",
        "dx_p = scale rstd (dz_p - 1/P sum_q dz_q - x^_p 1/P sum_q dz_q x^_q)",
        cotangent(_instance), _dx_of_channel, "P : : P", {"P": 3},
    ),
)  # fmt: skip
