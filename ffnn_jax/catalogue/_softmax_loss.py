"""Softmax and the softmax loss."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue import _plain
from ffnn_jax.catalogue._entry import Case, Entry, Fault
from ffnn_jax.catalogue._faults import (
    added_narrowly,
    detached,
    given,
    keeping,
    last_row_off,
    left_wide,
    one_entry_off,
    returning,
    scaled,
)
from ffnn_jax.layers import (
    softmax,
    softmax_backward,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
    softmax_forward,
)
from ffnn_jax.verify import Kink

Residuals = tuple[Array, Array]


def _shifted_by_the_minimum(x: Array) -> tuple[Array, Array]:
    exponentials = jnp.exp(x - jnp.min(x, axis=-1, keepdims=True))
    z = exponentials / jnp.sum(exponentials, axis=-1, keepdims=True)
    return z, z


def _over_the_batch(x: Array) -> tuple[Array, Array]:
    z, _ = softmax_forward(x.T)
    return z.T, z.T


def _added_narrowly(x: Array) -> tuple[Array, Array]:
    exponentials = jnp.exp(x - jnp.max(x, axis=-1, keepdims=True))
    z = exponentials / added_narrowly(exponentials.T)[:, None]
    return z, z


def _keeping_scores(x: Array) -> tuple[Array, Array]:
    return softmax_forward(x)[0], x


def _without_the_sum(z: Array, dz: Array) -> tuple[Array]:
    return (z * dz,)


def _with_the_mean(z: Array, dz: Array) -> tuple[Array]:
    return (z * (dz - jnp.mean(dz * z, axis=-1, keepdims=True)),)


def _with_the_sum_over_the_batch(z: Array, dz: Array) -> tuple[Array]:
    return (z * (dz - jnp.sum(dz * z, axis=0, keepdims=True)),)


def _with_the_sum_of_dz(z: Array, dz: Array) -> tuple[Array]:
    return (z * (dz - jnp.sum(dz, axis=-1, keepdims=True)),)


def _diagonal(z: Array, dz: Array) -> tuple[Array]:
    return (z * (1 - z) * dz,)


SOFTMAX = Entry(
    name="softmax",
    op=softmax,
    forward=softmax_forward,
    backward=softmax_backward,
    reference=_plain.softmax,
    arguments=("NxK",),
    cases=(
        Case(sizes=({"N": 3, "K": 5}, {"N": 1, "K": 4}, {"N": 8, "K": 1}, {"N": 7, "K": 1000})),
    ),
    batch="N",
    empty_batch=True,
    kinks=(
        Kink(
            "scores of 1e4 and -1e4",
            (np.array([[1e4, -1e4], [-1e4, 1e4]]),),
            np.array([[3.0, 5.0], [7.0, 11.0]]),
            (np.zeros((2, 2)),),
        ),
    ),
    faults=(
        Fault("dx by 1.0001", scaled(softmax_backward, 0)),
        Fault("dz replaced by ones", given(softmax_backward, jnp.ones_like)),
        Fault("sum left out of (softmax.1)", _without_the_sum),
        Fault("mean in place of the sum", _with_the_mean),
        Fault("sum over the batch", _with_the_sum_over_the_batch),
        Fault("sum of dz alone", _with_the_sum_of_dz),
        Fault("diagonal of the Jacobian alone", _diagonal),
        Fault("scores kept in place of z", forward=_keeping_scores),
        Fault("shifted by the minimum", forward=_shifted_by_the_minimum),
        Fault("probabilities over the batch", forward=_over_the_batch),
        Fault("dx off in the last row", returning(softmax_backward, 0, last_row_off)),
        Fault("dx off in one entry", returning(softmax_backward, 0, one_entry_off)),
        Fault("residual detached", detached(softmax_backward)),
        Fault("dx left in float32", returning(softmax_backward, 0, left_wide)),
        Fault("total in half precision", forward=_added_narrowly, many=True),
    ),
)


def _loss_kept(keep: Callable[[Array, Residuals], Any]) -> Callable[..., Any]:
    """The right forward, with other residuals."""

    def forward(logits: Array, labels: Array) -> tuple[Array, Any]:
        loss, residuals = softmax_cross_entropy_forward(logits, labels)
        return loss, keep(logits, residuals)

    return forward


def _loss_shifted_by_the_minimum(logits: Array, labels: Array) -> tuple[Array, Residuals]:
    _, residuals = softmax_cross_entropy_forward(logits, labels)
    z, _ = _shifted_by_the_minimum(logits)
    scores = jnp.take_along_axis(jnp.log(z), labels[:, None], axis=1)
    return -jnp.mean(scores), (z, residuals[1])


def _loss_of_labels_from_one(logits: Array, labels: Array) -> tuple[Array, Residuals]:
    loss, (z, _) = softmax_cross_entropy_forward(logits, (labels - 1) % logits.shape[1])
    return loss, (z, labels)


def _loss_added_narrowly(logits: Array, labels: Array) -> tuple[Array, Residuals]:
    _, residuals = softmax_cross_entropy_forward(logits, labels)
    scores = jnp.take_along_axis(jnp.log(softmax(logits)), labels[:, None], axis=1)
    return -added_narrowly(scores)[0] / logits.shape[0], residuals


def _loss_of_a_narrow_total(logits: Array, labels: Array) -> tuple[Array, Residuals]:
    loss, (_, labels) = softmax_cross_entropy_forward(logits, labels)
    return loss, (_added_narrowly(logits)[0], labels)


def _labels_from_one(residuals: Residuals) -> Residuals:
    z, labels = residuals
    return z, (labels + 1) % z.shape[1]


def _labels_of_the_row_before(residuals: Residuals) -> Residuals:
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


SOFTMAX_CROSS_ENTROPY = Entry(
    name="softmax_cross_entropy",
    op=softmax_cross_entropy,
    forward=softmax_cross_entropy_forward,
    backward=softmax_cross_entropy_backward,
    reference=_plain.softmax_cross_entropy,
    arguments=("NxK", "N:int<K"),
    cases=(
        Case(
            sizes=(
                {"N": 3, "K": 5},
                {"N": 1, "K": 4},
                {"N": 7, "K": 1},
                {"N": 512, "K": 600},
            )
        ),
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
        Fault("dlogits by 1.0001", scaled(softmax_cross_entropy_backward, 0)),
        Fault("dloss ignored", given(softmax_cross_entropy_backward, jnp.ones_like)),
        Fault("1/N left out", _summed),
        Fault("1/N twice", _averaged_twice),
        Fault("1/(N K)", _averaged_over_classes),
        Fault("delta left out of (22)", _without_delta),
        Fault("dlogits negated", scaled(softmax_cross_entropy_backward, 0, -1.0)),
        Fault(
            "labels from 1 in the backward",
            keeping(softmax_cross_entropy_backward, _labels_from_one),
        ),
        Fault("labels from 1 in the forward", forward=_loss_of_labels_from_one),
        Fault(
            "labels of the row before",
            keeping(softmax_cross_entropy_backward, _labels_of_the_row_before),
        ),
        Fault("logits kept in place of z", forward=_loss_kept(lambda x, kept: (x, kept[1]))),
        Fault(
            "exponentials kept in place of z",
            forward=_loss_kept(lambda x, kept: (jnp.exp(x), kept[1])),
        ),
        Fault("shifted by the minimum", forward=_loss_shifted_by_the_minimum),
        Fault(
            "dlogits off in the last row",
            returning(softmax_cross_entropy_backward, 0, last_row_off),
        ),
        Fault("residuals detached", detached(softmax_cross_entropy_backward)),
        Fault("dlogits left in float32", returning(softmax_cross_entropy_backward, 0, left_wide)),
        Fault("loss summed in half precision", forward=_loss_added_narrowly, many=True),
        Fault("total in half precision", forward=_loss_of_a_narrow_total, many=True),
    ),
)
