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

    It is compared in pairs with every other error, all corrected together: it holds if it is
    commoner than each, and is refuted if one is commoner.
    """
    counts = np.array(confusions, float)
    errors = [Error(*pair) for pair in np.ndindex(counts.shape[1:]) if pair[0] != pair[1]]
    by_error = {error: counts[:, *error] for error in errors}
    most = np.max([by_error[error] for error in errors], axis=0)
    first = int(np.sum(by_error[claimed] == most))
    rivals = {str(e): (by_error[claimed] - by_error[e]).tolist() for e in errors if e != claimed}
    found = compare(rivals).values()
    verdict = "Not decided"
    if all(one.decided and one.difference > 0 for one in found):
        verdict = "Holds"
    elif any(one.decided and one.difference < 0 for one in found):
        verdict = "Refuted"
    ranked = sorted(errors, key=lambda error: -float(by_error[error].mean()))[:3]
    means = ", ".join(f"{_said(one, names)} ({by_error[one].mean():.1f})" for one in ranked)
    return (
        f"{verdict}: {_said(claimed, names)} is the commonest error of {first} of {len(counts)} "
        f"seeds, with {by_error[claimed].mean():.1f} images on average. Commonest on average: "
        f"{means}."
    )


def _said(error: Error, names: Sequence[str]) -> str:
    return f"{names[error.true]} read as {names[error.predicted]}"
