"""Softmax and the softmax loss: equations (20)-(23), (softmax.1)-(softmax.8).

The scores x_1 ... x_K of one data point become probabilities

    z_i = exp(x_i) / sum_j exp(x_j)                                             (20)

and the loss of a data point of class c is its negative log likelihood

    L = -log z_c = -x_c + log sum_j exp(x_j)                                    (21)

Differentiate (21); the logarithm's derivative puts the sum in the denominator, which is (20):

    dL/dx_i = -delta_ci + exp(x_i) / sum_j exp(x_j) = z_i - delta_ci            (22)

The loss of a batch is the mean:

    L = 1/N sum_n L(x^(n), c^(n))                                               (23)

Each row of its gradient carries a factor 1/N. Softmax on its own has an arbitrary cotangent dz.
From (20), dz_j/dx_i = z_j (delta_ij - z_i), so

    dx_i = sum_j dz_j z_j (delta_ij - z_i) = z_i (dz_i - sum_j dz_j z_j)        (softmax.1)

By (softmax.1), dz_j = -delta_jc / z_c, the gradient of -log z_c, gives (22) again.

Both subtract the row's maximum before exponentiating. That changes neither (20) nor (21), since
a constant added to every score cancels, and no exponential can overflow.

Distributions, smoothing and class weights
------------------------------------------
The label y of a data point is delta_ck, or given as a distribution over the classes. Smoothing
spreads the share s of it evenly over the classes, and class k has the weight w_k:

    t_nk = (1 - s) y_nk + s / K                                                 (softmax.2)
    q_nk = w_k t_nk                                                             (softmax.3)
    L = -1/D sum_n sum_k q_nk log z_nk                                          (softmax.4)
    D = sum_n w_c(n) for weighted classes c(n), and otherwise N                 (softmax.5)
    log z_k = x_k - log sum_j exp(x_j)                                          (softmax.6)

By (22), dlog z_k/dx_i is delta_ki - z_i. The delta selects q_i, but z_i is in every term of the
sum, so it is multiplied by the row's sum of q: by 1, unless there are weights, or y adds up to
something else. In y, (softmax.4) is linear:

    dx_ni = dL/D (z_ni sum_k q_nk - q_ni)                                       (softmax.7)
    dy_nk = -dL/N (1 - s) w_k log z_nk                                          (softmax.8)

These are the conventions of PyTorch's ``cross_entropy``, but for two. A term with q_nk = 0 is 0,
even if log z_nk is -infinity. A class out of range makes the loss NaN, and its row of the gradient
too, or with weights all rows, as D is NaN; so does D = 0, if no c(n) has a weight.

The residuals are z and the labels. With distributions the scores take the place of z: (softmax.8)
needs log z, which cannot be had from a z that underflows.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer

from ffnn_jax.layers._arguments import (
    accumulation_dtype,
    custom_vjp_with_static,
    is_number,
    require,
    require_arrays,
    require_floating,
    upcast,
)

__all__ = [
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
    "softmax_cross_entropy_forward",
    "softmax_forward",
]

Labels = Integer[Array, " N"] | Float[Array, "N K"]
Weights = tuple[float, ...] | None


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
    logits: Float[Array, "N K"], labels: Labels, smoothing: float = 0.0, weights: Weights = None
) -> tuple[Float[Array, ""], tuple[Float[Array, "N K"], Labels]]:
    """Returns the mean loss and the residuals: z, for distributions the logits, and the labels."""
    _require_arguments(logits, labels, smoothing, weights)
    shifted, exponentials, total = _shifted_exponentials(logits)
    z = (exponentials / total).astype(logits.dtype)  # (20)
    q, mass, divisor = _weighted_targets(labels, shifted, smoothing, weights)
    score = jnp.sum(_product(q, shifted), axis=1, keepdims=True)
    losses = -score + mass * jnp.log(total)  # (21), (softmax.6)
    loss = jnp.sum(losses) / divisor  # (23), (softmax.4)
    return loss.astype(logits.dtype), (z if labels.ndim == 1 else logits, labels)


@custom_vjp_with_static(2, 3)
def softmax_cross_entropy(
    logits: Float[Array, "N K"], labels: Labels, smoothing: float = 0.0, weights: Weights = None
) -> Float[Array, ""]:
    """The softmax loss: mean over the batch of -log softmax(logits)[label].

    A class out of range makes the loss NaN, and its row of the gradient too.

    Args:
        logits: scores x, one row per data point.
        labels: classes c from 0 to K - 1, in any integer dtype, which have no cotangent; or
            distributions y over the classes, in logits' dtype, or float32 if that is narrower.
        smoothing: share of each label that is spread evenly over all classes; at least 0, below 1.
        weights: one number of at least 0 per class, in a tuple. The loss is then a weighted mean
            over the classes c, but still divided by N for distributions, as in PyTorch.

    Returns:
        The mean loss L, equation (23), or (softmax.4); NaN for an empty batch.

    Raises:
        ValueError: logits are not floating-point (N, K), labels neither integers (N,) nor
            floating-point (N, K), or a setting is out of range.
    """
    return softmax_cross_entropy_forward(logits, labels, smoothing, weights)[0]


def softmax_cross_entropy_backward(
    smoothing: float,
    weights: Weights,
    residuals: tuple[Float[Array, "N K"], Labels],
    dloss: Float[Array, ""],
) -> tuple[Float[Array, "N K"], Float[Array, "N K"] | None]:
    """Returns (dlogits, dlabels): (22) under the mean of (23), or (softmax.7) and (softmax.8)."""
    kept, labels = residuals
    z, log_z = (upcast(kept), None) if labels.ndim == 1 else _log_softmax(kept)
    q, mass, divisor = _weighted_targets(labels, z, smoothing, weights)
    dx = mass * z - q  # (22), (softmax.7)
    dlogits = (upcast(dloss) * dx / divisor).astype(kept.dtype)  # (23), (softmax.7)
    if log_z is None:
        return dlogits, None
    factor = upcast(dloss) * (1 - float(smoothing)) * _row(weights, z)
    dlabels = -_product(factor, log_z) / len(z)  # (softmax.8)
    return dlogits, dlabels.astype(labels.dtype)


def _shifted_exponentials(x: Array) -> tuple[Array, Array, Array]:
    """Returns x minus its row's maximum, the exponentials of that, and their row sums."""
    shifted = upcast(x) - upcast(jnp.max(x, axis=-1, keepdims=True))
    exponentials = jnp.exp(shifted)
    return shifted, exponentials, jnp.sum(exponentials, axis=-1, keepdims=True)


def _log_softmax(x: Array) -> tuple[Array, Array]:
    """Returns z and log z; the latter is finite where z underflows."""
    shifted, exponentials, total = _shifted_exponentials(x)
    return exponentials / total, shifted - jnp.log(total)  # (20), (softmax.6)


def _weighted_targets(
    labels: Array, like: Array, smoothing: float, weights: Weights
) -> tuple[Array, Array | int, Array | int]:
    """Returns q, its row sums (1 for classes without weights) and D, in the dtype of ``like``."""
    y, classes = _deltas(labels, like) if labels.ndim == 1 else upcast(labels), like.shape[1]
    t = (1 - float(smoothing)) * y + smoothing / classes if smoothing else y  # (softmax.2)
    if labels.ndim == 1 and weights is None:
        return t, 1, len(y)
    w = _row(weights, like)
    q = w * t  # (softmax.3)
    divisor = jnp.sum(w * y) if labels.ndim == 1 else len(y)  # (softmax.5)
    return q, jnp.sum(q, axis=1, keepdims=True), divisor


def _row(weights: Weights, like: Array) -> Array:
    """The weights as one row (1, K); ones without."""
    return jnp.array([list(map(float, weights or [1] * like.shape[1]))], like.dtype)


def _product(factor: Array, v: Array) -> Array:
    """The elementwise product, and 0 where the factor is 0, even for infinite v."""
    return factor * jnp.where(factor == 0, jnp.zeros_like(v), v)


def _deltas(labels: Array, like: Array) -> Array:
    """delta_ci, one row per label; a row of NaN for a label out of range."""
    classes = like.shape[1]
    c = labels.astype(jnp.int32)[:, None]
    delta = (c == jnp.arange(classes, dtype=jnp.int32)[None, :]).astype(like.dtype)
    known = (c >= 0) & (c < classes)
    return jnp.where(known, delta, jnp.nan)  # 0/0 would not do: compiled, it is 0


def _require_arguments(logits: Array, labels: Array, smoothing: float, weights: Weights) -> None:
    name = "softmax_cross_entropy"
    require_floating(name, logits=logits)
    require_arrays(name, labels=labels)
    shape, dtype = logits.shape, labels.dtype
    require(len(shape) == 2 and shape[1] > 0, name, "logits", "of shape (N, K), K > 0", shape)
    fits = labels.shape in (shape[:1], shape)
    require(fits, name, "labels", f"of shape {shape[:1]} or {shape}", labels.shape)
    if labels.ndim == 1:
        integers = jnp.issubdtype(dtype, jnp.integer)
        require(integers, name, "labels", "of an integer dtype", dtype)
    else:
        allowed = logits.dtype, accumulation_dtype(logits)
        require(dtype in allowed, name, "labels", f"of logits' dtype {logits.dtype}", dtype)
    in_range = is_number(smoothing) and 0 <= smoothing < 1
    expected = "a number of at least 0 and below 1"
    require(in_range, name, "smoothing", expected, repr(smoothing))
    given = (0.0,) * shape[1] if weights is None else weights
    per_class = isinstance(given, tuple) and len(given) == shape[1]
    valid = per_class and all(is_number(w) and 0 <= w < math.inf for w in given)
    expected = f"None or a tuple of {shape[1]} finite numbers of at least 0"
    require(valid, name, "weights", expected, repr(weights))


softmax_cross_entropy.defvjp(softmax_cross_entropy_forward, softmax_cross_entropy_backward)
