"""Root-mean-square normalisation."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._faults import Fault
from ffnn_jax.catalogue._normalisation import (
    DSCALE,
    Formula,
    Terms,
    mean_in_own_dtype,
    wide,
    with_dscale,
    with_dx,
    with_rstd,
    without_eps,
)
from ffnn_jax.catalogue._op_spec import Case, OpSpec
from ffnn_jax.layers import rms_norm, rms_norm_backward, rms_norm_forward
from ffnn_jax.verify import Kink


def reference_rms_norm(x: Array, scale: Array, eps: float = 1e-5) -> Array:
    """Equations (rms.1)-(rms.4), with the mean of the squares in float32 or wider."""
    entries = wide(x)
    root = jnp.sqrt(jnp.mean(entries**2, -1, keepdims=True) + eps)
    wide_scale = jnp.broadcast_to(wide(scale).astype(root.dtype), x.shape)
    return (wide_scale * entries / jnp.broadcast_to(root, x.shape)).astype(x.dtype)


def _terms(residuals: Any, dz: Array) -> Terms:
    """With a mean of 0, so that x^ is that of (rms.3)."""
    x, rrms, scale = residuals
    rows, dz_rows = (wide(array).reshape(-1, x.shape[-1]) for array in (x, dz))
    of_rows = jnp.zeros_like(rrms)[:, None], rrms[:, None]
    return Terms(dz_rows, rows, *of_rows, wide(scale)[None, :], (1,), x.dtype)


def _mean_subtracted(x: Array, scale: Array, eps: float) -> Any:
    return rms_norm_forward(x - jnp.mean(x, -1, keepdims=True), scale, eps)[0], _kept(x, scale, eps)


def _one_plus_scale(x: Array, scale: Array, eps: float) -> Any:
    return rms_norm_forward(x, 1 + scale, eps)[0], _kept(x, scale, eps)


def _kept(x: Array, scale: Array, eps: float) -> Any:
    return rms_norm_forward(x, scale, eps)[1]


DX_WITHOUT_MEAN: dict[str, Formula] = {
    "root held constant": lambda t: t.rstd * t.dx_hat,
    "scale outside the sum": lambda t: t.scale * t.rstd * (t.dz - t.share(t.dz)),
    "scale left out of dx": lambda t: t.rstd * (t.dz - t.share(t.dz)),
    "sum in place of the mean": lambda t: t.rstd * (t.dx_hat - t.share(t.dx_hat) * t.x.shape[1]),
    "mean of dx^ removed": lambda t: t.rstd * (t.dx_hat - t.average(t.dx_hat) - t.share(t.dx_hat)),
    "x in place of x^ in dx": lambda t: t.rstd * (t.dx_hat - t.x * t.average(t.dx_hat * t.x_hat)),
}
RRMS = {
    "eps outside the root": lambda t, eps: 1 / (jnp.sqrt(t.average(t.x**2)) + eps),
    "norm in place of the root": lambda t, eps: (
        1 / jnp.sqrt(t.average(t.x**2) * t.x.shape[1] + eps)
    ),
}


def _in_half_precision(t: Terms, eps: float) -> Array:
    return 1 / jnp.sqrt(mean_in_own_dtype(t, 2) + eps)


RMS_NORM = OpSpec(
    op=rms_norm,
    reference=reference_rms_norm,
    arguments=("NxTxC", "C"),
    cases=(
        Case(
            sizes=(
                {"N": 3, "T": 2, "C": 5},
                {"N": 1, "T": 1, "C": 4},
                {"N": 4, "T": 3, "C": 1},
                {"N": 4, "T": 3, "C": 512},
            ),
            static={"eps": 0.25},
        ),
        Case(sizes=({"N": 2, "T": 3, "C": 4},), static={"eps": 1e-5}),
    ),
    batch="N",
    linear=(1,),
    empty_batch=True,
    kinks=(
        Kink(
            "a row of zeros",
            (np.array([[[0.0, -0.0, 0.0]]]), np.array([5.0, 1, 2])),
            np.array([[[1.0, 3, 2]]]),
            (np.array([[[10.0, 6, 8]]]), np.zeros(3)),
        ),
    ),
    faults=(
        *(Fault(n, with_dx(rms_norm_backward, _terms, f)) for n, f in DX_WITHOUT_MEAN.items()),
        *(Fault(n, with_dscale(rms_norm_backward, _terms, f)) for n, f in DSCALE.items()),
        Fault("eps left out of the backward", without_eps(rms_norm_backward, "rrms")),
        Fault("mean subtracted in the forward", forward=_mean_subtracted),
        Fault("1 + scale in place of scale", forward=_one_plus_scale),
        *(Fault(n, forward=with_rstd(rms_norm_forward, _terms, f)) for n, f in RRMS.items()),
        Fault(
            "squares summed in half precision",
            forward=with_rstd(rms_norm_forward, _terms, _in_half_precision),
            many=True,
        ),
    ),
)
