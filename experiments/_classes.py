"""Classes and errors over many seeds, from their confusion matrices."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from experiments._statistics import Spread, compare, spread
from ffnn_jax.reporting import f1, precision, recall

Confusions = Sequence[Sequence[Sequence[int]]]
METRICS = {"Precision": precision, "Recall": recall, "F1": f1}


class Error(NamedTuple):
    """Images of one class that are called another."""

    true: int
    predicted: int


def spreads_of_classes(confusions: Confusions) -> dict[str, list[Spread]]:
    """Precision, recall and F1 of each class, over the seeds that have a value."""
    found = {}
    for name, metric in METRICS.items():
        by_seed = [metric(np.array(confusion)) for confusion in confusions]
        by_class = zip(*by_seed, strict=True)
        found[name] = [
            spread([value for value in values if value is not None]) for values in by_class
        ]
    return found


def best_and_worst(confusions: Confusions) -> tuple[Counter[int], Counter[int]]:
    """How many seeds have each class as their best, and as their worst, by F1."""
    scores = [
        [-1.0 if value is None else value for value in f1(np.array(one))] for one in confusions
    ]
    return (
        Counter(int(np.argmax(by_class)) for by_class in scores),
        Counter(int(np.argmin(by_class)) for by_class in scores),
    )


def commonest_error(confusions: Confusions, claimed: Error, names: Sequence[str]) -> str:
    """Whether the claimed error is the commonest, in a sentence.

    It is compared in pairs with the one of all others that is commonest on average.
    """
    mistakes = np.array(confusions, float)
    mistakes[:, range(len(names)), range(len(names))] = -1
    own = mistakes[:, *claimed].copy()
    first = sum(int(one.argmax()) == np.ravel_multi_index(claimed, one.shape) for one in mistakes)
    mistakes[:, *claimed] = -1
    means = mistakes.mean(axis=0)
    rival = Error(*(int(place) for place in np.unravel_index(means.argmax(), means.shape)))
    (found,) = compare({"": (own - mistakes[:, *rival]).tolist()}).values()
    verdict = "Not decided" if not found.decided else "Holds" if found.difference > 0 else "No"
    return (
        f"{verdict}: {_said(claimed, names)} is the commonest error of {first} of {len(own)} "
        f"seeds, {own.mean():.1f} images on average; {_said(rival, names)} has {means.max():.1f} "
        f"(difference {found.difference:+.1f} [{found.low:+.1f}, {found.high:+.1f}])."
    )


def _said(error: Error, names: Sequence[str]) -> str:
    return f"{names[error.true]} read as {names[error.predicted]}"
