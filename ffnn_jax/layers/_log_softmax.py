"""The logarithm of softmax: equations (logsoftmax.1)-(logsoftmax.3).

    z_i = log(exp(x_i) / sum_j exp(x_j)) = x_i - log sum_j exp(x_j)             (logsoftmax.1)

The derivative of the last term by x_i is softmax itself, equation (20):

    dz_j/dx_i = delta_ij - exp(x_i) / sum_k exp(x_k) = delta_ij - exp(z_i)      (logsoftmax.2)
    dx_i = sum_j dz_j dz_j/dx_i = dz_i - exp(z_i) sum_j dz_j                    (logsoftmax.3)

The row's maximum is subtracted first, as in (20), so no exponential overflows, and the sum is at
least 1. Softmax followed by the logarithm would give -infinity for a z_i below about -104.

A logit of -infinity has z_i = -infinity and dx_i = dz_i, the limits, and leaves the others finite.
One logit of infinity has z_i = 0, and the others -infinity; several share the probability equally.
A row of only -infinity has no limit: it is NaN, and so is a row with a NaN.

The residual is z, which a loss keeps anyway.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ffnn_jax.layers._activations import wired
from ffnn_jax.layers._arguments import require, require_floating, upcast

__all__ = ["log_softmax", "log_softmax_backward", "log_softmax_forward"]

Rows = Float[Array, "... K"]


def _log_softmax(x: Rows) -> tuple[Rows, Rows]:
    """Returns z and the residual z."""
    require_floating("log_softmax", x=x)
    filled = x.ndim >= 1 and x.shape[-1] > 0
    require(filled, "log_softmax", "x", "of shape (..., K), K > 0", x.shape)
    shifted = upcast(x) - upcast(jnp.max(x, axis=-1, keepdims=True))
    shifted = jnp.where(x == jnp.inf, jnp.zeros_like(shifted), shifted)
    total = jnp.sum(jnp.exp(shifted), axis=-1, keepdims=True)
    z = (shifted - jnp.log(total)).astype(x.dtype)  # (logsoftmax.1)
    return z, z


def _log_softmax_backward(z: Rows, dz: Rows) -> tuple[Rows]:
    """Returns (dx,), equation (logsoftmax.3)."""
    total = jnp.sum(upcast(dz), axis=-1, keepdims=True)
    dx = upcast(dz) - jnp.exp(upcast(z)) * total  # (logsoftmax.3)
    return (dx.astype(z.dtype),)


log_softmax_forward, log_softmax, log_softmax_backward = wired(
    "log_softmax", "Log probabilities along the last axis: equation (logsoftmax.1).",
    _log_softmax, _log_softmax_backward, shape="of scores (..., K)",
)  # fmt: skip
