"""Layer normalisation."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._faults import Fault
from ffnn_jax.catalogue._normalisation import Terms, normalisation_faults, wide
from ffnn_jax.catalogue._op_spec import Case, OpSpec
from ffnn_jax.layers import layer_norm, layer_norm_forward
from ffnn_jax.verify import Kink


def reference_layer_norm(x: Array, scale: Array, shift: Array, eps: float = 1e-5) -> Array:
    """Equations (layer.1)-(layer.5), with statistics in float32 or wider."""
    entries = wide(x)
    mean = jnp.broadcast_to(jnp.mean(entries, -1, keepdims=True), x.shape)
    variance = jnp.mean((entries - mean) ** 2, -1, keepdims=True)
    deviation = jnp.broadcast_to(jnp.sqrt(variance + eps), x.shape)
    of_entries = (jnp.broadcast_to(wide(p).astype(mean.dtype), x.shape) for p in (scale, shift))
    wide_scale, wide_shift = of_entries
    return (wide_scale * (entries - mean) / deviation + wide_shift).astype(x.dtype)


def _terms(residuals: Any, dz: Array) -> Terms:
    x, mean, rstd, scale = residuals
    rows, dz_rows = (wide(array).reshape(-1, x.shape[-1]) for array in (x, dz))
    of_rows = mean[:, None], rstd[:, None]
    return Terms(dz_rows, rows, *of_rows, wide(scale)[None, :], (1,), x.dtype)


def _mean_not_subtracted(x: Array, scale: Array, shift: Array, eps: float) -> Any:
    z, residuals = layer_norm_forward(x, scale, shift, eps)
    t = _terms(residuals, z)
    return (t.dz + t.scale * t.mean * t.rstd).reshape(x.shape).astype(x.dtype), residuals


LAYER_NORM = OpSpec(
    op=layer_norm,
    reference=reference_layer_norm,
    arguments=("NxTxC", "C", "C"),
    cases=(
        Case(
            sizes=(
                {"N": 3, "T": 2, "C": 5},
                {"N": 1, "T": 1, "C": 4},
                {"N": 4, "T": 3, "C": 1},
                {"N": 3, "T": 2, "C": 900},
            ),
            static={"eps": 0.25},
        ),
        Case(sizes=({"N": 2, "T": 3, "C": 4},), static={"eps": 1e-5}),
    ),
    batch="N",
    linear=(1, 2),
    empty_batch=True,
    kinks=(
        Kink(
            "a constant row",
            (np.full((1, 1, 3), 3.0), np.array([5.0, 1, 2]), np.array([1.0, 0, -1])),
            np.array([[[1.0, 3, 2]]]),
            (np.array([[[2.0, -2, 0]]]), np.zeros(3), np.array([1.0, 3, 2])),
        ),
    ),
    faults=(
        *normalisation_faults(layer_norm, _terms),
        Fault("mean not subtracted in the forward", forward=_mean_not_subtracted),
    ),
)
