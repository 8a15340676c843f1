"""Softmax and the softmax loss: equations (20)-(23).

The scores x_1 ... x_K of one data point become probabilities

    z_i = exp(x_i) / sum_j exp(x_j)                                             (20)

and the loss of a data point of class c is its negative log likelihood

    L = -log z_c = -x_c + log sum_j exp(x_j)                                    (21)

Differentiate (21); the logarithm's derivative puts the sum in the denominator, which is (20):

    dL/dx_i = -delta_ci + exp(x_i) / sum_j exp(x_j) = z_i - delta_ci            (22)

The loss of a batch is the mean, so each row of its gradient carries a factor 1/N:

    L = 1/N sum_n L(x^(n), c^(n))                                               (23)

Softmax on its own has an arbitrary cotangent dz. From (20), dz_j/dx_i = z_j (delta_ij - z_i), so

    dx_i = sum_j dz_j z_j (delta_ij - z_i) = z_i (dz_i - sum_j dz_j z_j)        (softmax.1)

With dz_j = -delta_jc / z_c, the gradient of -log z_c, (softmax.1) gives (22) again.

Both subtract the row's maximum before exponentiating. That changes neither (20) nor (21), since
a constant added to every score cancels, and no exponential can overflow.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer

from ffnn_jax.layers._arguments import require, require_arrays, require_floating, upcast

__all__ = [
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
    "softmax_cross_entropy_forward",
    "softmax_forward",
]


def softmax_forward(
    x: Float[Array, "... K"],
) -> tuple[Float[Array, "... K"], Float[Array, "... K"]]:
    """Returns z and the residual z: (softmax.1) needs nothing else."""
    require_floating("softmax", x=x)
    require(x.ndim >= 1 and x.shape[-1] > 0, "softmax", "x", "of shape (..., K), K > 0", x.shape)
    _, exponentials, total = _shifted_exponentials(x)
    z = (exponentials / total).astype(x.dtype)  # (20)
    return z, z


@jax.custom_vjp
def softmax(x: Float[Array, "... K"]) -> Float[Array, "... K"]:
    """Probabilities from the scores along the last axis.

    Args:
        x: scores.

    Returns:
        z, equation (20); each row sums to 1.

    Raises:
        ValueError: x is not floating-point, or its last axis is missing or empty.
    """
    return softmax_forward(x)[0]


def softmax_backward(
    z: Float[Array, "... K"], dz: Float[Array, "... K"]
) -> tuple[Float[Array, "... K"]]:
    """Returns (dx,), equation (softmax.1)."""
    z_wide, dz_wide = upcast(z), upcast(dz)
    dx = z_wide * (dz_wide - jnp.sum(dz_wide * z_wide, axis=-1, keepdims=True))  # (softmax.1)
    return (dx.astype(z.dtype),)


softmax.defvjp(softmax_forward, softmax_backward)


def softmax_cross_entropy_forward(
    logits: Float[Array, "N K"], labels: Integer[Array, " N"]
) -> tuple[Float[Array, ""], tuple[Float[Array, "N K"], Integer[Array, " N"]]]:
    """Returns the mean loss and the residuals of (22): probabilities z and labels c."""
    require_floating("softmax_cross_entropy", logits=logits)
    _require_arguments(logits, labels)
    shifted, exponentials, total = _shifted_exponentials(logits)
    z = (exponentials / total).astype(logits.dtype)  # (20)
    delta = _deltas(labels, shifted)
    score = jnp.sum(jnp.where(delta == 0, delta, delta * shifted), axis=1, keepdims=True)
    losses = -score + jnp.log(total)  # (21)
    loss = jnp.sum(losses) / logits.shape[0]  # (23)
    return loss.astype(logits.dtype), (z, labels)


@jax.custom_vjp
def softmax_cross_entropy(
    logits: Float[Array, "N K"], labels: Integer[Array, " N"]
) -> Float[Array, ""]:
    """The softmax loss: mean over the batch of -log softmax(logits)[label].

    A label out of range makes the loss NaN, and its row of the gradient too.

    Args:
        logits: scores x, one row per data point.
        labels: classes c from 0 to K - 1, in any integer dtype. They have no cotangent.

    Returns:
        The mean loss L, equation (23); NaN for an empty batch.

    Raises:
        ValueError: logits are not floating-point (N, K), or labels not integers (N,).
    """
    return softmax_cross_entropy_forward(logits, labels)[0]


def softmax_cross_entropy_backward(
    residuals: tuple[Float[Array, "N K"], Integer[Array, " N"]], dloss: Float[Array, ""]
) -> tuple[Float[Array, "N K"], None]:
    """Returns (dlogits, None), equation (22) under the mean of (23)."""
    z, labels = residuals
    dx = upcast(z) - _deltas(labels, upcast(z))  # (22)
    dlogits = upcast(dloss) * dx / z.shape[0]  # (23)
    return dlogits.astype(z.dtype), None


def _shifted_exponentials(x: Array) -> tuple[Array, Array, Array]:
    """Returns x minus its row's maximum, the exponentials of that, and their row sums."""
    shifted = upcast(x) - upcast(jnp.max(x, axis=-1, keepdims=True))
    exponentials = jnp.exp(shifted)
    return shifted, exponentials, jnp.sum(exponentials, axis=-1, keepdims=True)


def _deltas(labels: Array, like: Array) -> Array:
    """delta_ci of (22), one row per label; a row of 0/0 = NaN for a label out of range."""
    classes = like.shape[1]
    c = labels.astype(jnp.int32)[:, None]
    delta = (c == jnp.arange(classes, dtype=jnp.int32)[None, :]).astype(like.dtype)
    known = (c >= 0) & (c < classes)
    return jnp.where(known, delta, delta / known.astype(like.dtype))


def _require_arguments(logits: Array, labels: Array) -> None:
    function = "softmax_cross_entropy"
    require_arrays(function, labels=labels)
    require(
        logits.ndim == 2 and logits.shape[1] > 0,
        function, "logits", "of shape (N, K), K > 0", logits.shape,
    )  # fmt: skip
    require(
        labels.shape == logits.shape[:1],
        function, "labels", f"of shape {logits.shape[:1]}", labels.shape,
    )  # fmt: skip
    integers = jnp.issubdtype(labels.dtype, jnp.integer)
    require(integers, function, "labels", "of an integer dtype", labels.dtype)


softmax_cross_entropy.defvjp(softmax_cross_entropy_forward, softmax_cross_entropy_backward)
