"""Mistakes of hand-ins of the original assignment, programmed anew, and what is said of them."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments._judged_faults import as_student
from ffnn_jax.catalogue import RELU, SOFTMAX, SOFTMAX_CROSS_ENTROPY
from ffnn_jax.catalogue.diagnosis import Diagnosis, diagnose
from ffnn_jax.course._mistakes import diagnose_function


def _with_the_minimum(x: Any) -> Any:
    exponentials = jnp.exp(x - jnp.min(x, axis=-1, keepdims=True))
    z = exponentials / jnp.sum(exponentials, axis=-1, keepdims=True)
    return z, z


def _with_labels_from_1(smoothing: float, weights: Any, residuals: Any, dloss: Any) -> Any:
    z, labels = residuals
    dlogits = z.at[jnp.arange(len(z)), labels - 1].add(-1)
    return dloss * dlogits / len(z), None


def _with_the_displays_momentum(
    v: Any, w: Any, g: Any, rate: float, mu: float, decay: float
) -> Any:
    smoothing = 0.995
    v = smoothing * v + (1 - smoothing) * g
    return v, w - rate * (v + decay * w)


def _with_decay_inside(v: Any, w: Any, g: Any, rate: float, mu: float, decay: float) -> Any:
    v = mu * v + (1 - mu) * (g + decay * w)
    return v, w - rate * v


def _by_columns(confusion: Any) -> float:
    return float(
        np.mean([confusion[k][k] / sum(row[k] for row in confusion) for k in range(len(confusion))])
    )


def _without_biases(params: Any) -> int:
    return sum(layer["w"].size for layer in params.values())


_LOSS = SOFTMAX_CROSS_ENTROPY
_HALF_AT_0 = as_student(
    RELU, lambda x: (jnp.maximum(x, 0), x), lambda x, dz: (jnp.heaviside(x, 0.5) * dz,)
)
_FUNCTIONS: dict[str, tuple[str, Callable[..., Any], str]] = {
    "the momentum of the display's average": (
        "momentum_update", _with_the_displays_momentum, "0.995"
    ),
    "weight decay inside of the average": ("momentum_update", _with_decay_inside, "inside"),
    "totals typed by hand, without the biases": ("count_parameters", _without_biases, "biases"),
    "totals typed by hand": ("count_parameters", lambda params: 14682, "typed by hand"),
    "recall averaged over the wrong axis": ("mean_recall", _by_columns, "precision"),
    "an index twice in a batch": (
        "draw_batch", lambda generator, n, size: generator.integers(0, n, size), "twice"
    ),
    "digit 0 as class 10": ("digit_of_class", lambda index: index, "digit 0 is shown as class 10"),
    "a fan-in of three channels": (
        "start_deviation", lambda shape: math.sqrt(2 / (3 * shape[0] * shape[1])), "three channels"
    ),
}  # fmt: skip


def real_mistakes() -> dict[str, tuple[bool, str]]:
    """For each mistake, whether it is named, and the text."""
    found: dict[str, tuple[str, Diagnosis]] = {
        "softmax shifted by the minimum": (
            "shifted by the minimum", diagnose(SOFTMAX, as_student(SOFTMAX, _with_the_minimum))
        ),
        "relu' = 1/2 at 0": ("slope 1/2 at 0", diagnose(RELU, _HALF_AT_0)),
        "labels from 1 in the backward": (
            "counted from 0 or from 1",
            diagnose(_LOSS, as_student(_LOSS, backward=_with_labels_from_1)),
        ),
    }  # fmt: skip
    found |= {what: (word, diagnose_function(n, f)) for what, (n, f, word) in _FUNCTIONS.items()}
    return {what: (word in str(d) and d.sure, str(d)) for what, (word, d) in found.items()}
