"""The equations of batch normalisation, for M rows."""

import functools

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._batch_norm import reference_batch_norm
from ffnn_jax.catalogue._batch_norm_inference import reference_batch_norm_inference
from ffnn_jax.catalogue.equations._equation import Equation, cotangent, derivative
from ffnn_jax.layers import batch_norm, batch_norm_inference, batch_norm_inference_forward

_SIZES, _EPS = {"M": 3, "C": 2}, 0.25
_GIVEN, _GIVEN_DZ = "MxC C C C C", "MxC C C C C MxC"
_BATCH, _BATCH_DZ = "MxC C C", "MxC C C MxC C C"
_prediction = functools.partial(reference_batch_norm_inference, eps=_EPS)
_training = functools.partial(reference_batch_norm, eps=_EPS)


def _rstd(variance: Array) -> Array:
    return 1 / jnp.sqrt(variance + _EPS)


def _x_hat(x: Array, mean: Array, variance: Array) -> Array:
    return (x - mean[None, :]) * _rstd(variance)[None, :]


def _mean(x: Array) -> Array:
    return 1 / len(x) * jnp.einsum("mc->c", x)


def _variance(x: Array) -> Array:
    return 1 / len(x) * jnp.einsum("mc->c", (x - _mean(x)[None, :]) ** 2)


def _x_hat_of_batch(x: Array) -> Array:
    return _x_hat(x, _mean(x), _variance(x))


def _dshift(dz: Array) -> Array:
    return jnp.einsum("mc->c", dz)


def _dscale(x: Array, mean: Array, variance: Array, dz: Array) -> Array:
    return jnp.einsum("mc,mc->c", dz, _x_hat(x, mean, variance))


def _dx_of_training(x: Array, scale: Array, shift: Array, *dz: Array) -> Array:
    return cotangent(_training)(x, scale, shift, dz)


def _along_three_paths(
    x: Array, scale: Array, shift: Array, dz: Array, dmean: Array, dvariance: Array
) -> Array:
    """The right side of (norm.12)."""
    count, mean, variance = len(x), _mean(x), _variance(x)
    rstd, dscale = _rstd(variance), _dscale(x, mean, variance, dz)
    of_mean = 1 / count * (dmean - scale * rstd * _dshift(dz))
    of_variance = dvariance - 1 / 2 * scale * rstd**2 * dscale
    along_z = (scale * rstd)[None, :] * dz
    return along_z + of_mean[None, :] + 2 / count * (x - mean[None, :]) * of_variance[None, :]


def _simplified(
    x: Array, scale: Array, shift: Array, dz: Array, dmean: Array, dvariance: Array
) -> Array:
    """The right side of (norm.15)."""
    count, mean, variance = len(x), _mean(x), _variance(x)
    dshift, dscale = _dshift(dz), _dscale(x, mean, variance, dz)
    of_z = dz - (dshift / count)[None, :] - _x_hat_of_batch(x) * dscale[None, :] / count
    of_statistics = dmean[None, :] + 2 * (x - mean[None, :]) * dvariance[None, :]
    return (scale * _rstd(variance))[None, :] * of_z + of_statistics / count


def _statistics_by_x(x: Array) -> tuple[Array, ...]:
    """dmean/dx_m and dvariance/dx_m of one channel."""
    return tuple(derivative(f)(x[:, None])[0, :, 0] for f in (_mean, _variance))


EQUATIONS = (
    Equation(
        "norm.1", "rstd = 1 / sqrt(variance + eps)",
        lambda *given: batch_norm_inference_forward(*given, eps=_EPS)[1].rstd,
        lambda x, mean, variance, scale, shift: _rstd(variance), _GIVEN, _SIZES,
    ),
    Equation(
        "norm.2", "x^_m = (x_m - mean) rstd",
        lambda x, mean, variance: batch_norm_inference(
            x, mean, variance, jnp.ones_like(mean), jnp.zeros_like(mean), _EPS
        ),
        _x_hat, "MxC C C", _SIZES,
    ),
    Equation(
        "norm.3", "z_m = scale x^_m + shift",
        lambda *given: batch_norm_inference(*given, eps=_EPS),
        lambda x, mean, variance, scale, shift: (
            scale[None, :] * _x_hat(x, mean, variance) + shift[None, :]
        ),
        _GIVEN, _SIZES,
    ),
    Equation(
        "norm.4", "dx_m = scale rstd dz_m",
        cotangent(_prediction),
        lambda x, mean, variance, scale, shift, dz: (scale * _rstd(variance))[None, :] * dz,
        _GIVEN_DZ, _SIZES,
    ),
    Equation(
        "norm.5", "dshift = sum_m dz_m",
        cotangent(_prediction, 4), lambda x, mean, variance, scale, shift, dz: _dshift(dz),
        _GIVEN_DZ, _SIZES,
    ),
    Equation(
        "norm.6", "dscale = sum_m dz_m x^_m",
        cotangent(_prediction, 3),
        lambda x, mean, variance, scale, shift, dz: _dscale(x, mean, variance, dz),
        _GIVEN_DZ, _SIZES,
    ),
    Equation(
        "norm.7", "dmean = -scale rstd sum_m dz_m = -scale rstd dshift",
        cotangent(_prediction, 1),
        lambda x, mean, variance, scale, shift, dz: (
            -scale * _rstd(variance) * jnp.einsum("mc->c", dz),
            -scale * _rstd(variance) * _dshift(dz),
        ),
        _GIVEN_DZ, _SIZES,
    ),
    Equation(
        "norm.8", "dvariance = -1/2 scale rstd^2 dscale",
        cotangent(_prediction, 2),
        lambda x, mean, variance, scale, shift, dz: (
            -1 / 2 * scale * _rstd(variance) ** 2 * _dscale(x, mean, variance, dz)
        ),
        _GIVEN_DZ, _SIZES,
    ),
    Equation(
        "norm.9", "mean = 1/M sum_m x_m",
        lambda *given: batch_norm(*given, eps=_EPS)[1], lambda x, scale, shift: _mean(x),
        _BATCH, _SIZES,
    ),
    Equation(
        "norm.10", "variance = 1/M sum_m (x_m - mean)^2",
        lambda *given: batch_norm(*given, eps=_EPS)[2], lambda x, scale, shift: _variance(x),
        _BATCH, _SIZES,
    ),
    Equation(
        "norm.11", "dmean/dx_m = 1/M, dvariance/dx_m = 2/M (x_m - mean)",
        _statistics_by_x,
        lambda x: (jnp.full(x.shape, 1 / len(x)), 2 / len(x) * (x - jnp.mean(x))), "M", _SIZES,
    ),
    Equation(
        "norm.12",
        "dx_m = scale rstd dz_m + 1/M (dmean - scale rstd dshift)"
        " + 2/M (x_m - mean) (dvariance - 1/2 scale rstd^2 dscale)",
        _dx_of_training, _along_three_paths, _BATCH_DZ, _SIZES,
    ),
    Equation(
        "norm.13", "sum_m x^_m = 0",
        lambda x: jnp.einsum(
            "mc->c", batch_norm(x, jnp.ones_like(x[0]), jnp.zeros_like(x[0]), _EPS)[0]
        ),
        lambda x: jnp.zeros_like(x[0]), "MxC", _SIZES,
    ),
    Equation(
        "norm.14", "dscale = sum_m (dz_m - dshift / M) x^_m",
        lambda x, scale, shift, *dz: cotangent(_training, 1)(x, scale, shift, dz),
        lambda x, scale, shift, dz, dmean, dvariance: jnp.einsum(
            "mc,mc->c", dz - (_dshift(dz) / len(x))[None, :], _x_hat_of_batch(x)
        ),
        _BATCH_DZ, _SIZES,
    ),
    Equation(
        "norm.15",
        "dx_m = scale rstd (dz_m - dshift / M - x^_m dscale / M)"
        " + (dmean + 2 (x_m - mean) dvariance) / M",
        _dx_of_training, _simplified, _BATCH_DZ, _SIZES,
    ),
    Equation(
        "norm.16", "sum_m z_m = M shift",
        lambda *given: jnp.einsum("mc->c", batch_norm(*given, eps=_EPS)[0]),
        lambda x, scale, shift: len(x) * shift, _BATCH, _SIZES,
    ),
)  # fmt: skip
