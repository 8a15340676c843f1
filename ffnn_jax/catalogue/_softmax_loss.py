"""The softmax loss."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._faults import Fault, change_residuals, sum_in_own_dtype
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


def reference_softmax_cross_entropy(logits: Array, labels: Array) -> Array:
    """Equations (21) and (23)."""
    scores = jnp.take_along_axis(jnp.log(reference_softmax(logits)), labels[:, None], axis=1)
    return -jnp.mean(scores)


def _with_residuals(change: Callable[[Array, Residuals], Any]) -> Callable[..., Any]:
    """The correct forward, with different residuals."""

    def forward(logits: Array, labels: Array) -> tuple[Array, Any]:
        loss, residuals = softmax_cross_entropy_forward(logits, labels)
        return loss, change(logits, residuals)

    return forward


def _loss_shifted_by_the_minimum(logits: Array, labels: Array) -> tuple[Array, Residuals]:
    _, residuals = softmax_cross_entropy_forward(logits, labels)
    z, _ = shifted_by_the_minimum(logits)
    scores = jnp.take_along_axis(jnp.log(z), labels[:, None], axis=1)
    return -jnp.mean(scores), (z, residuals[1])


def _loss_with_one_based_labels(logits: Array, labels: Array) -> tuple[Array, Residuals]:
    loss, (z, _) = softmax_cross_entropy_forward(logits, (labels - 1) % logits.shape[1])
    return loss, (z, labels)


def _loss_in_half_precision(logits: Array, labels: Array) -> tuple[Array, Residuals]:
    _, residuals = softmax_cross_entropy_forward(logits, labels)
    scores = jnp.take_along_axis(jnp.log(softmax(logits)), labels[:, None], axis=1)
    return -sum_in_own_dtype(scores)[0] / logits.shape[0], residuals


def _denominator_in_half_precision(logits: Array, labels: Array) -> tuple[Array, Residuals]:
    loss, (_, labels) = softmax_cross_entropy_forward(logits, labels)
    return loss, (normalised_in_own_dtype(logits)[0], labels)


def _one_based_labels(residuals: Residuals) -> Residuals:
    z, labels = residuals
    return z, (labels + 1) % z.shape[1]


def _previous_labels(residuals: Residuals) -> Residuals:
    z, labels = residuals
    return z, jnp.roll(labels, 1)


def _summed(residuals: Residuals, dloss: Array) -> tuple[Array, None]:
    dlogits, _ = softmax_cross_entropy_backward(residuals, dloss)
    return dlogits * dlogits.shape[0], None


def _averaged_twice(residuals: Residuals, dloss: Array) -> tuple[Array, None]:
    dlogits, _ = softmax_cross_entropy_backward(residuals, dloss)
    return dlogits / dlogits.shape[0], None


def _averaged_over_classes(residuals: Residuals, dloss: Array) -> tuple[Array, None]:
    dlogits, _ = softmax_cross_entropy_backward(residuals, dloss)
    return dlogits / dlogits.shape[1], None


def _without_delta(residuals: Residuals, dloss: Array) -> tuple[Array, None]:
    z, _ = residuals
    return dloss * z / z.shape[0], None


SOFTMAX_CROSS_ENTROPY = OpSpec(
    op=softmax_cross_entropy,
    reference=reference_softmax_cross_entropy,
    arguments=("NxK", "N:int<K"),
    cases=(
        Case(sizes=({"N": 3, "K": 5}, {"N": 1, "K": 4}, {"N": 7, "K": 1}, {"N": 512, "K": 600})),
    ),
    batch="N",
    reduces="mean",
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
        Fault("1/N left out", _summed),
        Fault("1/N applied twice", _averaged_twice),
        Fault("1/(N K) instead of 1/N", _averaged_over_classes),
        Fault("delta left out of (22)", _without_delta),
        Fault(
            "1-based labels in the backward",
            change_residuals(softmax_cross_entropy_backward, _one_based_labels),
        ),
        Fault("1-based labels in the forward", forward=_loss_with_one_based_labels),
        Fault(
            "labels from the previous row",
            change_residuals(softmax_cross_entropy_backward, _previous_labels),
        ),
        Fault(
            "logits saved instead of z",
            forward=_with_residuals(lambda x, residuals: (x, residuals[1])),
        ),
        Fault(
            "exponentials saved instead of z",
            forward=_with_residuals(lambda x, residuals: (jnp.exp(x), residuals[1])),
        ),
        Fault("shifted by the minimum", forward=_loss_shifted_by_the_minimum),
        Fault("loss summed in half precision", forward=_loss_in_half_precision, many=True),
        Fault(
            "denominator summed in half precision",
            forward=_denominator_in_half_precision,
            many=True,
        ),
    ),
)
