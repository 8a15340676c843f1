"""Metrics against the report's tables, a hand-worked case, and scikit-learn."""

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from sklearn import metrics as sklearn

from experiments import _report as report
from ffnn_jax.reporting import (
    accuracy,
    confusion_matrix,
    f1,
    precision,
    precision_recall_table,
    recall,
)
from ffnn_jax.reporting._metrics import commonest_confusions, weakest_classes


class Printed(NamedTuple):
    """A table of the report, and the number of test images of each class."""

    precision: tuple[float, ...]
    recall: tuple[float, ...]
    counts: tuple[int, ...]


MNIST = Printed(
    report.MNIST.precision,
    report.MNIST.recall,
    (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
)
CIFAR10 = Printed(report.CIFAR10.precision, report.CIFAR10.recall, (1000,) * 10)
TABLES = pytest.mark.parametrize("table", [MNIST, CIFAR10], ids=["Table 1", "Table 5"])


def integers(values: np.ndarray, tolerance: np.ndarray) -> np.ndarray:
    """The only integers within ``tolerance`` of these values."""
    rounded = np.rint(values)
    assert (tolerance < 0.25).all()
    assert (np.abs(values - rounded) <= tolerance).all()
    return rounded.astype(int)


def diagonal_and_predictions(table: Printed) -> tuple[np.ndarray, np.ndarray]:
    """Correct images and predictions of each class, from quotients printed to four digits."""
    counts, quotients = np.array(table.counts), np.array(table.precision)
    diagonal = integers(np.array(table.recall) * counts, 0.5e-4 * counts)
    predictions = diagonal / quotients
    return diagonal, integers(predictions, 0.501e-4 * predictions / quotients)


def labels_and_predictions(table: Printed) -> tuple[np.ndarray, np.ndarray]:
    """Labels and predictions with the table's counts of images and of correct predictions.

    The classes and predictions of the errors are each sorted; the predictions are rotated against
    the classes until none of them is correct.
    """
    diagonal, predictions = diagonal_and_predictions(table)
    classes = np.arange(10)
    right = classes.repeat(diagonal)
    true = classes.repeat(np.array(table.counts) - diagonal)
    predicted = classes.repeat(predictions - diagonal)
    rotations = (np.roll(predicted, shift) for shift in range(len(predicted)))
    wrong = next(rotated for rotated in rotations if not (rotated == true).any())
    return np.concatenate([right, true]), np.concatenate([right, wrong])


@TABLES
def test_the_printed_predictions_add_up_to_all_test_images(table: Printed):
    assert diagonal_and_predictions(table)[1].sum() == 10_000


@pytest.mark.parametrize(("table", "correct"), [(MNIST, 9780), (CIFAR10, 5420)])
def test_the_printed_recalls_give_the_claimed_accuracy(table: Printed, correct: int):
    assert diagonal_and_predictions(table)[0].sum() == correct


@TABLES
def test_the_printed_numbers_are_reproduced_to_four_digits(table: Printed):
    confusion = confusion_matrix(*labels_and_predictions(table), 10)
    assert [round(value or 0, 4) for value in precision(confusion)] == list(table.precision)
    assert [round(value or 0, 4) for value in recall(confusion)] == list(table.recall)


@pytest.mark.parametrize(
    ("table", "share"),
    [(MNIST, report.MNIST.test_accuracy), (CIFAR10, report.CIFAR10.test_accuracy)],
)
def test_the_printed_accuracy_is_reproduced_exactly(table: Printed, share: float):
    assert accuracy(confusion_matrix(*labels_and_predictions(table), 10)) == share


def test_f1_ranks_automobile_first_ship_second_and_bird_last():
    values = [value or 0 for value in f1(confusion_matrix(*labels_and_predictions(CIFAR10), 10))]
    ranked = np.argsort(values)
    assert (ranked[-1], ranked[-2], ranked[0]) == (1, 8, 2)
    assert [round(values[k], 3) for k in (1, 8, 2)] == [0.667, 0.663, 0.362]


def test_mean_recall_is_the_accuracy_for_balanced_classes():
    draw = np.random.default_rng(0)
    true = np.arange(7).repeat(11)
    confusion = confusion_matrix(true, draw.integers(0, 7, 77), 7)
    recalls = [value for value in recall(confusion) if value is not None]
    assert len(recalls) == 7
    assert accuracy(confusion) == pytest.approx(sum(recalls) / 7, rel=1e-14)


def test_rows_are_true_and_columns_are_predicted():
    true = np.array([0, 0, 0, 0, 1, 1, 2])
    predicted = np.array([0, 0, 1, 2, 1, 2, 1])
    confusion = confusion_matrix(true, predicted, 3)
    assert confusion.tolist() == [[2, 1, 1], [0, 1, 1], [0, 1, 0]]
    assert precision(confusion) == [1.0, 1 / 3, 0.0]
    assert recall(confusion) == [0.5, 0.5, 0.0]
    assert f1(confusion) == [2 / 3, 2 / 5, 0.0]
    assert accuracy(confusion) == 3 / 7


@pytest.mark.parametrize("seed", range(5))
def test_metrics_match_scikit_learn(seed: int):
    draw = np.random.default_rng(seed)
    true, predicted = draw.integers(0, 6, 15), draw.integers(0, 7, 15)  # at most 7 of 8 classes
    confusion = confusion_matrix(true, predicted, 8)
    options: dict[str, Any] = {"labels": range(8), "average": None, "zero_division": math.nan}
    for ours, theirs in (
        (precision, sklearn.precision_score),
        (recall, sklearn.recall_score),
        (f1, sklearn.f1_score),
    ):
        values = [math.nan if value is None else value for value in ours(confusion)]
        np.testing.assert_allclose(values, theirs(true, predicted, **options), rtol=1e-14)
    assert accuracy(confusion) == pytest.approx(sklearn.accuracy_score(true, predicted), rel=1e-14)
    theirs = sklearn.confusion_matrix(true, predicted, labels=range(8))
    np.testing.assert_array_equal(confusion, theirs)


def test_a_quotient_with_denominator_zero_is_none():
    confusion = np.array([[2, 0, 0], [1, 0, 0], [0, 0, 0]])
    assert precision(confusion) == [2 / 3, None, None]
    assert recall(confusion) == [1.0, 0.0, None]
    assert f1(confusion) == [4 / 5, 0.0, None]


def test_no_images_have_no_accuracy():
    none = np.array([], int)
    assert accuracy(confusion_matrix(none, none, 3)) is None


def test_undefined_values_are_printed_as_dashes():
    table = precision_recall_table(np.array([[2, 0, 0], [1, 0, 0], [0, 0, 0]]), ["a", "b", "c"])
    assert table.splitlines() == [
        "|  | a | b | c |",
        "| --- | ---: | ---: | ---: |",
        "| Precision | 0.6667 | – | – |",
        "| Recall | 1.0000 | 0.0000 | – |",
        "| F1 | 0.8000 | 0.0000 | – |",
    ]


def test_a_table_of_more_than_25_classes_has_a_row_for_each():
    names = [f"class {k}" for k in range(26)]
    confusion = np.diag([*range(1, 26), 0])
    head, line, first, *_, last = precision_recall_table(confusion, names).splitlines()
    assert head == "|  | Precision | Recall | F1 |"
    assert line == "| --- | ---: | ---: | ---: |"
    assert first == "| class 0 | 1.0000 | 1.0000 | 1.0000 |"
    assert last == "| class 25 | – | – | – |"
    assert precision_recall_table(np.eye(25, dtype=int), names[:25]).count("\n") == 5


def test_names_cannot_break_a_markdown_table():
    names = ["a|b", "two\nlines", "<i>", r"back\slash", "$x$", "*s* `c`"]
    head = precision_recall_table(np.eye(6, dtype=int), names).splitlines()[0]
    expected = r"|  | a\|b | two lines | \<i> | back\\slash | \$x\$ | \*s\* \`c\` |"
    assert head == expected


def test_the_commonest_confusions_are_errors_in_descending_order():
    confusion = np.array([[90, 2, 0], [7, 80, 1], [0, 2, 70]])
    assert commonest_confusions(confusion) == [(1, 0, 7), (0, 1, 2), (2, 1, 2), (1, 2, 1)]
    assert commonest_confusions(np.diag([1, 2])) == []
    many = commonest_confusions(np.ones((30, 30), int))
    assert len(many) == 25
    assert many[0] == (0, 1, 1)


def test_few_classes_stay_in_order_and_of_many_the_weakest_come_first():
    confusion = np.diag([*range(40, 11, -1), 0, 0])
    confusion[29, 0] = 3  # never right
    assert weakest_classes(confusion[:25, :25]) == list(range(25))
    chosen = weakest_classes(confusion)
    assert (chosen[:2], len(chosen)) == ([29, 0], 25)
    assert 30 not in chosen  # never occurs


@pytest.mark.parametrize(
    ("name", "true", "predicted"),
    [
        ("true", [0, 3], [0, 1]),
        ("true", [-1, 0], [0, 1]),
        ("predicted", [0, 1], [3, 0]),
        ("predicted", [0, 1], [0, -1]),
    ],
)
def test_an_unknown_class_is_rejected(name: str, true: list[int], predicted: list[int]):
    with pytest.raises(ValueError, match=f"^confusion_matrix: {name} must be from 0 to 2"):
        confusion_matrix(np.array(true), np.array(predicted), 3)


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_different_numbers_of_labels_and_predictions_are_rejected(count: int):
    with pytest.raises(ValueError, match="confusion_matrix"):
        confusion_matrix(np.array([0, 1, 2]), np.zeros(count, int), 3)
