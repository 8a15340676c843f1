"""Weight standardisation."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._faults import Fault
from ffnn_jax.catalogue._normalisation import Terms, normalisation_faults, wide
from ffnn_jax.catalogue._op_spec import Case, OpSpec
from ffnn_jax.layers import (
    weight_standardisation,
    weight_standardisation_backward,
    weight_standardisation_forward,
)
from ffnn_jax.verify import Kink


def reference_weight_standardisation(w: Array, eps: float = 1e-5) -> Array:
    """Equations (weight.1)-(weight.4), output by output, in float32 or wider."""
    outputs = [wide(w)[..., k] for k in range(w.shape[-1])]
    centred = [weights - jnp.mean(weights) for weights in outputs]
    standardised = [weights / jnp.sqrt(jnp.mean(weights**2) + eps) for weights in centred]
    return jnp.stack(standardised, axis=-1).astype(w.dtype)


def _terms(residuals: Any, dz: Array) -> Terms:
    w, mean, rstd = residuals
    rows, dz_rows = (wide(array).reshape(-1, w.shape[-1]) for array in (w, dz))
    one = jnp.ones((1, 1), rows.dtype)
    return Terms(dz_rows, rows, mean[None, :], rstd[None, :], one, (0,), w.dtype)


def _of_the_whole_kernel(w: Array, eps: float) -> Any:
    z, _ = weight_standardisation_forward(w.reshape(-1, 1), eps)
    return z.reshape(w.shape), weight_standardisation_forward(w, eps)[1]


def _of_each_input(w: Array, eps: float) -> Any:
    z, _ = weight_standardisation_forward(jnp.swapaxes(w, 2, 3), eps)
    return jnp.swapaxes(z, 2, 3), weight_standardisation_forward(w, eps)[1]


def _mean_alone(w: Array, eps: float) -> Any:
    _, residuals = weight_standardisation_forward(w, eps)
    t = _terms(residuals, w)
    return (t.x - t.mean).reshape(w.shape).astype(w.dtype), residuals


def _mean_over_outputs(eps: float, residuals: Any, dz: Array) -> Any:
    along = jnp.mean(wide(dz), axis=-1, keepdims=True).astype(dz.dtype)
    return weight_standardisation_backward(eps, residuals, dz - along)


_NOT_FAULTS = ("scale outside the sums", "scale left out of dx")  # there is none

WEIGHT_STANDARDISATION = OpSpec(
    op=weight_standardisation,
    reference=reference_weight_standardisation,
    arguments=("HxWxCxK",),
    cases=(
        Case(
            sizes=(
                {"H": 3, "W": 2, "C": 4, "K": 5},
                {"H": 1, "W": 1, "C": 1, "K": 3},
                {"H": 5, "W": 5, "C": 36, "K": 2},
            ),
            static={"eps": 0.25},
        ),
        Case(sizes=({"H": 1, "W": 3, "C": 2, "K": 4},), static={"eps": 1e-5}),
    ),
    kinks=(
        Kink(
            "an output with equal weights",
            (np.full((1, 1, 3, 1), 3.0),),
            np.array([[[[1.0], [2.0], [6.0]]]]),
            (np.array([[[[-4.0], [-2.0], [6.0]]]]),),
        ),
    ),
    faults=(
        *normalisation_faults(weight_standardisation, _terms, _NOT_FAULTS, scaled=False),
        Fault("statistics of the whole kernel", forward=_of_the_whole_kernel),
        Fault("statistics of each input channel", forward=_of_each_input),
        Fault("mean subtracted, no division", forward=_mean_alone),
        Fault("mean over the outputs removed from dz", _mean_over_outputs),
    ),
)
