"""The softmax loss."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._faults import Fault, change_cotangent, change_residuals, sum_in_own_dtype
from ffnn_jax.catalogue._op_spec import Case, OpSpec
from ffnn_jax.catalogue._softmax import (
    normalised_in_own_dtype,
    reference_softmax,
    shifted_by_the_minimum,
)
from ffnn_jax.layers import (
    softmax,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
)
from ffnn_jax.verify import Kink

Residuals = tuple[Array, Array]
Weights = tuple[float, ...] | None
_CLASSES, _DISTRIBUTIONS = 1, 2


def reference_softmax_cross_entropy(
    logits: Array, labels: Array, smoothing: float = 0.0, weights: Weights = None
) -> Array:
    """Equations (21) and (23) with weights, and the smoothing as a term of its own."""
    w = jnp.asarray(weights or [1.0] * logits.shape[1], logits.dtype)
    scores = w[None, :] * jnp.log(reference_softmax(logits))
    if labels.ndim == 1:
        of_labels = jnp.take_along_axis(scores, labels[:, None], axis=1)
        divisor = jnp.sum(w[labels])
    else:
        of_labels, divisor = labels * scores, len(labels)
    loss = -jnp.sum(of_labels) / divisor
    if smoothing == 0:
        return loss
    return (1 - smoothing) * loss - smoothing * jnp.sum(jnp.mean(scores, axis=1)) / divisor


def _with_residuals(change: Callable[[Array, Residuals], Any]) -> Callable[..., Any]:
    """The correct forward, with different residuals."""

    def forward(logits: Array, labels: Array, **static: Any) -> tuple[Array, Any]:
        loss, residuals = softmax_cross_entropy_forward(logits, labels, **static)
        return loss, change(logits, residuals)

    return forward


def _loss_shifted_by_the_minimum(logits: Array, labels: Array, **_: Any) -> Any:
    z, _ = shifted_by_the_minimum(logits)
    scores = jnp.take_along_axis(jnp.log(z), labels[:, None], axis=1)
    return -jnp.mean(scores), (z, labels)


def _loss_with_one_based_labels(logits: Array, labels: Array, **_: Any) -> Any:
    loss, (z, _) = softmax_cross_entropy_forward(logits, (labels - 1) % logits.shape[1])
    return loss, (z, labels)


def _loss_in_half_precision(logits: Array, labels: Array, **_: Any) -> Any:
    _, residuals = softmax_cross_entropy_forward(logits, labels)
    scores = jnp.take_along_axis(jnp.log(softmax(logits)), labels[:, None], axis=1)
    return -sum_in_own_dtype(scores)[0] / logits.shape[0], residuals


def _one_based_labels(residuals: Residuals) -> Residuals:
    z, labels = residuals
    return z, (labels + 1) % z.shape[1]


def _previous_labels(residuals: Residuals) -> Residuals:
    z, labels = residuals
    return z, jnp.roll(labels, 1)


def _without_delta(_: float, __: Weights, residuals: Residuals, dloss: Array) -> Any:
    z, _ = residuals
    return dloss * z / z.shape[0], None


def _of_classes(dx: Callable[[Array, Array, Array, float], Array]) -> Callable[..., Any]:
    """A backward for classes that has D dx/dL from z, the labels one-hot, w and s."""

    def wrong(smoothing: float, weights: Weights, residuals: Residuals, dloss: Array) -> Any:
        (z, labels), w = residuals, jnp.asarray(weights, residuals[0].dtype)
        y = (labels[:, None] == jnp.arange(len(w))).astype(z.dtype)
        return dloss * dx(z, y, w, smoothing) / jnp.sum(w[labels]), None

    return wrong


def _of_targets(z: Array, t: Array, w: Array) -> Array:
    return z * jnp.sum(w * t, axis=1, keepdims=True) - w * t


def _over_the_batch(smoothing: float, weights: Weights, residuals: Residuals, dloss: Array) -> Any:
    z, labels = residuals
    dlogits, _ = softmax_cross_entropy_backward(smoothing, weights, residuals, dloss)
    return dlogits * jnp.sum(jnp.asarray(weights, z.dtype)[labels]) / len(z), None


def _with_static(change: Callable[[float, Weights], tuple[float, Weights]]) -> Callable[..., Any]:
    """The backward with other settings."""

    def wrong(smoothing: float, weights: Weights, *rest: Any) -> Any:
        return softmax_cross_entropy_backward(*change(smoothing, weights), *rest)

    return wrong


def _dlabels(change: Callable[..., Any]) -> Callable[..., Any]:
    """The backward with dlabels changed, given s, w, the scores and dL/N, too."""

    def wrong(smoothing: float, weights: Weights, residuals: Residuals, dloss: Array) -> Any:
        x, _ = residuals
        dx, dy = softmax_cross_entropy_backward(smoothing, weights, residuals, dloss)
        return dx, change(dy, smoothing, jnp.asarray(weights, x.dtype), x, dloss / len(x))

    return wrong


def _change_dlogits(change: Callable[[Array], Array]) -> Callable[..., Any]:
    return change_cotangent(softmax_cross_entropy_backward, 0, change)


def _change_residuals(change: Callable[[Residuals], Residuals]) -> Callable[..., Any]:
    return change_residuals(softmax_cross_entropy_backward, change)


_WEIGHTS = (0.5, 2.0, 1.25)
_FAULTS_OF_CLASSES = {
    "smoothing left out of the backward": _with_static(lambda _, w: (0.0, w)),
    "weights left out of the backward": _with_static(lambda s, _: (s, None)),
    "divided by N instead of the sum of the weights": _over_the_batch,
    "s / (K - 1) instead of s / K": _of_classes(
        lambda z, y, w, s: _of_targets(z, (1 - s) * y + s / (len(w) - 1), w)
    ),
    "smoothing subtracts from the true class only": _of_classes(
        lambda z, y, w, s: _of_targets(z, (1 - s) * y, w)
    ),
    "smoothing of the wrong classes only": _of_classes(
        lambda z, y, w, s: _of_targets(z, (1 - s) * y + s / (len(w) - 1) * (1 - y), w)
    ),
    "weights left out of the z term": _of_classes(
        lambda z, y, w, s: z - w * ((1 - s) * y + s / len(w))
    ),
    "weight of the true class for all terms": _of_classes(
        lambda z, y, w, s: (y @ w)[:, None] * (z - (1 - s) * y - s / len(w))
    ),
}
_FAULTS_OF_DISTRIBUTIONS = {
    "dlabels without the minus": _dlabels(lambda dy, *_: -dy),
    "dlabels None": _dlabels(lambda *_: None),
    "dlabels scaled by 1.0001": _dlabels(lambda dy, *_: 1.0001 * dy),
    "dlabels scaled in the last row": _dlabels(lambda dy, *_: dy.at[-1].multiply(1.01)),
    "dlabels not averaged": _dlabels(lambda dy, *_: len(dy) * dy),
    "dlabels of the scores instead of log z": _dlabels(lambda dy, s, w, x, d: -(1 - s) * w * d * x),
    "smoothing left out of dlabels": _dlabels(lambda dy, s, *_: dy / (1 - s)),
    "weights left out of dlabels": _dlabels(lambda dy, s, w, *_: dy / w),
    "labels assumed to add up to 1": _with_static(lambda s, _: (s, None)),
}

SOFTMAX_CROSS_ENTROPY = OpSpec(
    op=softmax_cross_entropy,
    reference=reference_softmax_cross_entropy,
    arguments=("NxK", "N:int<K"),
    cases=(
        Case(
            sizes=({"N": 3, "K": 5}, {"N": 1, "K": 4}, {"N": 7, "K": 1}, {"N": 512, "K": 600}),
            static={"smoothing": 0.0, "weights": None},
        ),
        Case(
            sizes=({"N": 4, "K": 3},),
            static={"smoothing": 0.25, "weights": _WEIGHTS},
            reduces="mixed",
        ),
        Case(
            sizes=({"N": 4, "K": 3},),
            static={"smoothing": 0.25, "weights": _WEIGHTS},
            arguments=("NxK", "NxK:simplex"),
        ),
        Case(
            sizes=({"N": 2, "K": 5},),
            static={"smoothing": 0.0, "weights": None},
            arguments=("NxK", "NxK"),
        ),
    ),
    batch="N",
    reduces="mean",
    linear=(1,),
    empty_batch=True,
    kinks=(
        Kink(
            "logits of 1e4 and -1e4, of the likely class",
            (np.array([[1e4, -1e4]]), np.array([0])),
            np.array(3.0),
            (np.array([[0.0, 0.0]]),),
        ),
        Kink(
            "logits of 1e4 and -1e4, of the unlikely class",
            (np.array([[1e4, -1e4]]), np.array([1])),
            np.array(3.0),
            (np.array([[3.0, -3.0]]),),
        ),
    ),
    faults=(
        Fault("1/N left out", _change_dlogits(lambda dx: dx * len(dx))),
        Fault("1/N applied twice", _change_dlogits(lambda dx: dx / len(dx))),
        Fault("1/(N K) instead of 1/N", _change_dlogits(lambda dx: dx / dx.shape[1])),
        Fault("delta left out of (22)", _without_delta),
        Fault("1-based labels in the backward", _change_residuals(_one_based_labels)),
        Fault("1-based labels in the forward", forward=_loss_with_one_based_labels),
        Fault("labels from the previous row", _change_residuals(_previous_labels)),
        Fault("logits saved instead of z", forward=_with_residuals(lambda x, r: (x, r[1]))),
        Fault(
            "exponentials saved instead of z",
            forward=_with_residuals(lambda x, r: (jnp.exp(x), r[1])),
        ),
        Fault("shifted by the minimum", forward=_loss_shifted_by_the_minimum),
        Fault("loss summed in half precision", forward=_loss_in_half_precision, many=True),
        Fault(
            "denominator summed in half precision",
            forward=_with_residuals(lambda x, r: (normalised_in_own_dtype(x)[0], r[1])),
            many=True,
        ),
        *(Fault(name, wrong, case=_CLASSES) for name, wrong in _FAULTS_OF_CLASSES.items()),
        *(
            Fault(name, wrong, case=_DISTRIBUTIONS)
            for name, wrong in _FAULTS_OF_DISTRIBUTIONS.items()
        ),
    ),
)
