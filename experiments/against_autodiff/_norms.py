"""The normalisations, beside what is written with ``jnp.mean`` and ``jnp.var``.

As in Flax, statistics are computed in float32 and the result is rounded to x's dtype.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from experiments.against_autodiff._row import Form, Row
from ffnn_jax import layers

_EPS = 1e-5


def _mean_and_variance(x: Array, axes: tuple[int, ...]) -> Array:
    mean = jnp.mean(x, axes, keepdims=True)
    return (x - mean) * lax.rsqrt(jnp.var(x, axes, keepdims=True) + _EPS)


def _jax_standardize(x: Array, axes: tuple[int, ...]) -> Array:
    return jax.nn.standardize(x, axis=axes, epsilon=_EPS)


_STANDARDISED: dict[str, Callable[[Array, tuple[int, ...]], Array]] = {
    "jnp.mean and jnp.var": _mean_and_variance,
    "jax.nn.standardize": _jax_standardize,
}


def _forms(axes: tuple[int, ...], groups: int = 0) -> dict[str, Form]:
    """The forms that normalise over these axes, of x or of its channels in groups."""

    def form(standardised: Any) -> Form:
        def normalised(x: Array, *affine: Array) -> Array:
            wide = x.astype(jnp.float32)
            split = wide.reshape(*x.shape[:-1], groups, -1) if groups else wide
            z = standardised(split, axes).reshape(x.shape)
            if affine:
                scale, shift = affine
                z = z * scale + shift
            return z.astype(x.dtype)

        return normalised

    return {name: form(standardised) for name, standardised in _STANDARDISED.items()}


def _inference(x: Array, mean: Array, variance: Array, scale: Array, shift: Array) -> Array:
    z = (x.astype(jnp.float32) - mean) * (lax.rsqrt(variance + _EPS) * scale) + shift
    return z.astype(x.dtype)


def _rms(x: Array, scale: Array) -> Array:
    wide = x.astype(jnp.float32)
    z = wide * lax.rsqrt(jnp.mean(wide**2, -1, keepdims=True) + _EPS) * scale
    return z.astype(x.dtype)


def _torch_batch_norm(torch: Any, x: Any, scale: Any, shift: Any) -> Any:
    return torch.nn.functional.batch_norm(x, None, None, scale, shift, training=True, eps=_EPS)


def _torch_of_rows(name: str) -> Form:
    """Layer or RMS normalisation over the last axis."""

    def form(torch: Any, x: Any, *affine: Any) -> Any:
        return getattr(torch.nn.functional, name)(x, x.shape[-1:], *affine, eps=_EPS)

    return form


def _torch_instance_norm(torch: Any, x: Any, scale: Any, shift: Any) -> Any:
    return torch.nn.functional.instance_norm(x, weight=scale, bias=shift, eps=_EPS)


def _torch_group_norm(torch: Any, x: Any, scale: Any, shift: Any) -> Any:
    return torch.nn.functional.group_norm(x, 8, scale, shift, _EPS)


def _torch_standardised(torch: Any, w: Any) -> Any:
    variance, mean = torch.var_mean(w, (1, 2, 3), correction=0, keepdim=True)
    return (w - mean) * torch.rsqrt(variance + _EPS)


NORMS = (
    Row(
        layers.batch_norm, ("Nx16x16x64", "64", "64"), _forms((0, 1, 2)), _torch_batch_norm, 128,
    ),
    Row(  # PyTorch has no gradient of given statistics
        layers.batch_norm_inference, ("Nx16x16x64", "64", "64:>0", "64", "64"),
        {"as written": _inference}, None, 128,
    ),
    Row(
        layers.layer_norm, ("Nx512", "512", "512"), _forms((1,)), _torch_of_rows("layer_norm"),
        8192,
    ),
    Row(
        layers.group_norm, ("Nx16x16x64", "64", "64"), _forms((1, 2, 4), 8), _torch_group_norm, 64,
        (8,), "8 groups",
    ),
    Row(
        layers.instance_norm, ("Nx16x16x64", "64", "64"), _forms((1, 2)), _torch_instance_norm, 64,
    ),
    Row(
        layers.rms_norm, ("Nx512", "512"), {"as written": _rms}, _torch_of_rows("rms_norm"), 8192,
    ),
    Row(
        layers.weight_standardisation, ("3x3x256x256",), _forms((0, 1, 2)), _torch_standardised,
    ),
)  # fmt: skip
