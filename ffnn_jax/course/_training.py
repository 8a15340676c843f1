"""The pieces of a training loop, each on its own: a step, a batch, and what is reported at the end.

Arrays are numpy's or jax's. Nothing that is passed in is changed.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

__all__ = [
    "count_parameters", "digit_of_class", "draw_batch", "mean_recall", "momentum_update",
    "start_deviation",
]  # fmt: skip


def momentum_update(
    velocity: Any, w: Any, gradient: Any, learning_rate: float, momentum: float, weight_decay: float
) -> tuple[Any, Any]:
    """One step of gradient descent with momentum, for one array of parameters.

    The velocity m is a moving average of the gradients g. With momentum mu, learning rate alpha and
    weight decay lambda, which is outside the average,

        m <- mu m + (1 - mu) g                                                      (24)
        w <- w - alpha (m + lambda w)                                               (25)

    Returns:
        The new velocity and the new parameters, in this order.
    """
    velocity = momentum * velocity + (1 - momentum) * gradient
    return velocity, w - learning_rate * (velocity + weight_decay * w)


def draw_batch(generator: np.random.Generator, images: int, batch_size: int) -> np.ndarray:
    """The indices of a batch, from 0 to images - 1.

    Every image is as likely as any other, none is in the batch twice, and all randomness is the
    generator's.
    """
    return generator.choice(images, batch_size, replace=False)


def mean_recall(confusion: Sequence[Sequence[int]] | np.ndarray) -> float:
    """The mean over the classes of their recall; classes without images are left out.

    ``confusion[true][predicted]`` counts images; a class's recall is the share of its own images
    that were predicted as that class.
    """
    counts = np.asarray(confusion)
    images = counts.sum(axis=1)
    return float(np.mean(np.diag(counts)[images > 0] / images[images > 0]))


def count_parameters(params: Any) -> int:
    """The number of parameters in a tree of arrays, such as ``{"dense_1": {"w": w, "b": b}}``."""
    return sum(math.prod(np.shape(array)) for array in jax.tree.leaves(params))


def digit_of_class(index: int) -> int:
    """The digit of a class from 1 to 10, as the report counts: digit 0 is class 10, not class 0."""
    return index % 10


def start_deviation(shape: Sequence[int]) -> float:
    """The standard deviation of the random numbers that a kernel of this shape starts with.

    He initialisation, for a layer before a ReLU: sqrt(2 / fan-in), where the fan-in is the number
    of inputs that are summed for one output. A kernel is (KH, KW, C_in, C_out), or (D, K).
    """
    return math.sqrt(2 / math.prod(shape[:-1]))
