"""Classes and errors over many seeds, from their confusion matrices."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from experiments._statistics import compare
from ffnn_jax.reporting import f1, precision, recall
from ffnn_jax.runs import Spread, spread

Confusions = Sequence[Sequence[Sequence[int]]]
METRICS = {"Precision": precision, "Recall": recall, "F1": f1}


class Error(NamedTuple):
    """Images of one class that are predicted as another."""

    true: int
    predicted: int


def spreads_of_classes(confusions: Confusions) -> dict[str, list[Spread]]:
    """Precision, recall and F1 of each class, over the seeds that have a value."""
    spreads = {}
    for name, metric in METRICS.items():
        by_seed = [metric(np.array(confusion)) for confusion in confusions]
        by_class = zip(*by_seed, strict=True)
        spreads[name] = [
            spread([value for value in values if value is not None]) for values in by_class
        ]
    return spreads


def best_and_worst(confusions: Confusions) -> tuple[Counter[int], Counter[int]]:
    """For how many seeds each class is the best, and the worst, by F1."""
    scores = [
        [-1.0 if value is None else value for value in f1(np.array(confusion))]
        for confusion in confusions
    ]
    return (
        Counter(int(np.argmax(by_class)) for by_class in scores),
        Counter(int(np.argmin(by_class)) for by_class in scores),
    )


def commonest_error(confusions: Confusions, claimed: Error, names: Sequence[str]) -> str:
    """A sentence on whether the claimed error is the commonest.

    Paired tests compare it with every other error, corrected together: the claim holds if it is
    commoner than each, and is refuted if another is commoner.
    """
    counts = np.array(confusions, float)
    errors = [Error(*pair) for pair in np.ndindex(counts.shape[1:]) if pair[0] != pair[1]]
    by_error = {error: counts[:, *error] for error in errors}
    largest = np.max([by_error[error] for error in errors], axis=0)
    led = int(np.sum(by_error[claimed] == largest))
    rivals = {
        str(other): (by_error[claimed] - by_error[other]).tolist()
        for other in errors
        if other != claimed
    }
    comparisons = compare(rivals).values()
    verdict = "Not decided"
    if all(one.decided and one.difference > 0 for one in comparisons):
        verdict = "Holds"
    elif any(one.decided and one.difference < 0 for one in comparisons):
        verdict = "Refuted"
    ranked = sorted(errors, key=lambda error: -float(by_error[error].mean()))[:3]
    means = ", ".join(
        f"{_describe(error, names)} ({by_error[error].mean():.1f})" for error in ranked
    )
    return (
        f"{verdict}: {_describe(claimed, names)} is the commonest error of {led} of {len(counts)} "
        f"seeds, with {by_error[claimed].mean():.1f} images on average. Commonest on average: "
        f"{means}."
    )


def _describe(error: Error, names: Sequence[str]) -> str:
    return f"{names[error.true]} read as {names[error.predicted]}"
