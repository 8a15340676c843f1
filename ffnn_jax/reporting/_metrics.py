"""Metrics of a classifier, all from its confusion matrix.

``confusion[true][predicted]`` counts images. With c_tp its entries, t the true class and p the
predicted one:

    accuracy     = sum_t c_tt / sum_tp c_tp
    precision(k) = c_kk / sum_t c_tk, the share of images predicted as k that are k
    recall(k)    = c_kk / sum_p c_kp, the share of images of k that are predicted as k
    f1(k)        = 2 c_kk / (sum_t c_tk + sum_p c_kp), their harmonic mean

A quotient with denominator zero is None.
"""

import math

import numpy as np
from jaxtyping import Int

Confusion = Int[np.ndarray, "K K"]
# Of more classes, figures and tables show this many rows.
MOST_SHOWN = 25


def confusion_matrix(
    true: Int[np.ndarray, " N"], predicted: Int[np.ndarray, " N"], classes: int
) -> Confusion:
    """Counts of images by true class (row) and predicted class (column)."""
    if true.shape != predicted.shape:
        raise ValueError(
            f"confusion_matrix: shapes differ, true {true.shape}, predicted {predicted.shape}"
        )
    for name, values in (("true", true), ("predicted", predicted)):
        if values.size and not 0 <= values.min() <= values.max() < classes:
            raise ValueError(f"confusion_matrix: {name} must be from 0 to {classes - 1}")
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (true, predicted), 1)
    return confusion


def accuracy(confusion: Confusion) -> float | None:
    """The share of images whose predicted class is the true one."""
    return _quotients(confusion.trace()[None], confusion.sum()[None])[0]


def precision(confusion: Confusion) -> list[float | None]:
    """For each class, the share of its predictions that are right; None if it has none."""
    return _quotients(confusion.diagonal(), confusion.sum(axis=0))


def recall(confusion: Confusion) -> list[float | None]:
    """For each class, the share of its images predicted correctly; None if it has none."""
    return _quotients(confusion.diagonal(), confusion.sum(axis=1))


def f1(confusion: Confusion) -> list[float | None]:
    """For each class, the harmonic mean of precision and recall; None if it never occurs."""
    return _quotients(2 * confusion.diagonal(), confusion.sum(axis=0) + confusion.sum(axis=1))


def commonest_confusions(confusion: Confusion) -> list[tuple[int, int, int]]:
    """The true class, predicted class and count of the commonest errors, the commonest first."""
    errors = confusion - np.diag(confusion.diagonal())
    first = np.argsort(-errors, axis=None, kind="stable")[:MOST_SHOWN]
    pairs = zip(*np.unravel_index(first, errors.shape), strict=True)
    return [(int(t), int(p), int(errors[t, p])) for t, p in pairs if errors[t, p]]


def weakest_classes(confusion: Confusion) -> list[int]:
    """The classes with the lowest F1, those without F1 last; all in their order if they are few."""
    scores = [math.inf if score is None else score for score in f1(confusion)]
    classes = range(len(scores))
    few = len(scores) <= MOST_SHOWN
    return [*classes] if few else sorted(classes, key=scores.__getitem__)[:MOST_SHOWN]


def _quotients(numerators: np.ndarray, denominators: np.ndarray) -> list[float | None]:
    pairs = zip(numerators.tolist(), denominators.tolist(), strict=True)
    return [numerator / denominator if denominator else None for numerator, denominator in pairs]
