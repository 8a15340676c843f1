"""The equations of the logarithm of softmax, for one row."""

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue import LOG_SOFTMAX
from ffnn_jax.catalogue._softmax import reference_softmax
from ffnn_jax.catalogue.equations._equation import Equation, cotangent, derivative
from ffnn_jax.layers import log_softmax

_SIZES = {"K": 3}
_z = LOG_SOFTMAX.reference


def _with_delta(z: Array) -> Array:
    """delta_ij - z_i, an array over j and i."""
    return jnp.eye(len(z)) - jnp.broadcast_to(z, (len(z), len(z)))


EQUATIONS = (
    Equation(
        "logsoftmax.1", "z_i = log(exp(x_i) / sum_j exp(x_j)) = x_i - log sum_j exp(x_j)",
        log_softmax,
        lambda x: (jnp.log(jnp.exp(x) / jnp.sum(jnp.exp(x))), x - jnp.log(jnp.sum(jnp.exp(x)))),
        "K", _SIZES,
    ),
    Equation(
        "logsoftmax.2",
        "dz_j/dx_i = delta_ij - exp(x_i) / sum_k exp(x_k) = delta_ij - exp(z_i)",
        derivative(_z),
        lambda x: (_with_delta(reference_softmax(x)), _with_delta(jnp.exp(log_softmax(x)))),
        "K", _SIZES,
    ),
    Equation(
        "logsoftmax.3", "dx_i = sum_j dz_j dz_j/dx_i = dz_i - exp(z_i) sum_j dz_j",
        cotangent(_z),
        lambda x, dz: (
            jnp.einsum("j,ji->i", dz, derivative(_z)(x)), dz - jnp.exp(_z(x)) * jnp.sum(dz)
        ),
        "K K", _SIZES,
    ),
)  # fmt: skip
