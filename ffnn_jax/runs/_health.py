"""Whether each seed of a run learnt, judged from what the run recorded."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, UInt8

from ffnn_jax.models import Model
from ffnn_jax.network import normalise

_ERRORS = 3  # standard errors by which the test accuracy must exceed that of guessing
_LITTLE = 1.5  # times the accuracy of guessing, which a network that only started may have
_FLAT = 0.99  # of the first loss: what is above it has not fallen
_LOWER = "try a lower --learning-rate"
_OTHER = "try another --learning-rate or more --steps, and check the labels"


def problem_of(
    confusion: Int[np.ndarray, "K K"], losses: Sequence[float], dead: str | None = None
) -> str | None:
    """What is wrong with a seed that learnt nothing, and what to try next; None if it learnt.

    Guessing is to predict each class as often as the seed did, but of random images. A loss of
    log K is that of equal probabilities.

    Args:
        confusion: confusion[true][predicted] over all test images.
        losses: the smoothed loss at each validation.
        dead: the name of a layer whose outputs are all 0, if there is one.
    """
    images, true, predicted = confusion.sum(), confusion.sum(axis=1), confusion.sum(axis=0)
    if np.count_nonzero(true) == 1:
        return None  # there is nothing to tell apart
    accuracy, chance = confusion.trace() / images, float(true @ predicted) / images**2
    error = math.sqrt(chance * (1 - chance) / images)
    flat = len(losses) > 1 and losses[-1] > _FLAT * losses[0]
    high = losses[-1] >= math.log(len(true)) and (flat or accuracy < _LITTLE * chance)
    if dead:
        return f"every output of {dead} is 0; {_LOWER} or another --seed"
    if np.count_nonzero(predicted) == 1:
        return f"one class is predicted for all test images; {_LOWER}"
    if high:
        return f"the loss is not below that of guessing, log {len(true)}; {_OTHER}"
    if accuracy <= chance + _ERRORS * error:
        return f"the test accuracy is that of guessing; {_OTHER}"
    return None


def dead_layer(model: Model, images: UInt8[np.ndarray, "N H W C"]) -> str | None:
    """The first layer whose outputs are all 0, which no gradient passes; None without one."""
    x = normalise(images, model.normalisation)
    outputs = model.network.outputs(model.params, model.state, x)
    return next((name for name, z in outputs.items() if not np.any(z)), None)
