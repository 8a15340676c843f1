"""Metrics of a classifier, all from its confusion matrix.

``confusion[true][predicted]`` counts images. With c_tp its entries, t the true class and p the
predicted one:

    accuracy     = sum_t c_tt / sum_tp c_tp
    precision(k) = c_kk / sum_t c_tk, of the images called k those that are k
    recall(k)    = c_kk / sum_p c_kp, of the images that are k those that are called k
    f1(k)        = 2 c_kk / (sum_t c_tk + sum_p c_kp), their harmonic mean

A quotient by zero has no value: None.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

Confusion = Int[np.ndarray, "K K"]


def confusion_matrix(
    true: Int[np.ndarray, " N"], predicted: Int[np.ndarray, " N"], classes: int
) -> Confusion:
    """Counts of images by true class (row) and predicted class (column).

    Raises:
        ValueError: the two differ in length, or a class is not one of 0 to classes - 1.
    """
    if true.shape != predicted.shape:
        raise ValueError(f"confusion_matrix: {true.shape} true, {predicted.shape} predicted")
    for name, values in (("true", true), ("predicted", predicted)):
        if values.size and not 0 <= values.min() <= values.max() < classes:
            raise ValueError(f"confusion_matrix: {name} must be from 0 to {classes - 1}")
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (true, predicted), 1)
    return confusion


def accuracy(confusion: Confusion) -> float | None:
    """The share of images called by their own class."""
    return _quotients(confusion.trace()[None], confusion.sum()[None])[0]


def precision(confusion: Confusion) -> list[float | None]:
    """For each class, the share of the images called so that are so; None if none was."""
    return _quotients(confusion.diagonal(), confusion.sum(axis=0))


def recall(confusion: Confusion) -> list[float | None]:
    """For each class, the share of its images that are called so; None if it has none."""
    return _quotients(confusion.diagonal(), confusion.sum(axis=1))


def f1(confusion: Confusion) -> list[float | None]:
    """For each class, the harmonic mean of precision and recall; None if it never occurs."""
    return _quotients(2 * confusion.diagonal(), confusion.sum(axis=0) + confusion.sum(axis=1))


def _quotients(numerators: np.ndarray, denominators: np.ndarray) -> list[float | None]:
    pairs: Sequence[tuple[int, int]] = list(
        zip(numerators.tolist(), denominators.tolist(), strict=True)
    )
    return [numerator / denominator if denominator else None for numerator, denominator in pairs]
