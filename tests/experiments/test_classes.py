"""Classes over many seeds: worked by hand, and what must hold of every stored confusion matrix."""

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest

from experiments._class_table import class_table, extremes
from experiments._classes import Error, best_and_worst, commonest_error, spreads_of_classes
from experiments._results import RESULTS
from experiments._sweep import read_records
from ffnn_jax.config import preset
from ffnn_jax.network import Network
from ffnn_jax.reporting import accuracy, recall

NAMES = ("cat", "dog", "eel")
GOOD_CATS = [[10, 0, 0], [1, 8, 1], [2, 3, 5]]
GOOD_DOGS = [[6, 0, 4], [0, 10, 0], [2, 0, 8]]


def stored() -> list[Any]:
    """Every confusion matrix among the results, with what else is known of its seed."""
    found = []
    for name in ("mnist", "final"):
        result = json.loads((RESULTS / f"{name}.json").read_text())
        found += zip(result["confusion"], result["test_accuracy"], strict=True)
    for path in sorted(RESULTS.glob("*.jsonl")):
        records = [record for record in read_records(path) if "confusion" in record]
        found += [(record["confusion"], record["test_accuracy"]) for record in records]
    return found


def test_values_of_classes_have_their_mean_and_deviation():
    found = spreads_of_classes([GOOD_CATS, GOOD_DOGS])
    assert found["Recall"][0][:3] == pytest.approx((2, 0.8, np.std([1, 0.6], ddof=1)))
    assert found["Precision"][1].mean == pytest.approx((8 / 11 + 1) / 2)
    assert found["F1"][2].mean == pytest.approx((2 * 5 / 16 + 2 * 8 / 22) / 2)


def test_best_and_worst_classes_are_counted_by_f1():
    assert best_and_worst([GOOD_CATS, GOOD_DOGS, GOOD_DOGS]) == (
        Counter({1: 2, 0: 1}),
        Counter({0: 2, 2: 1}),
    )
    assert extremes([GOOD_DOGS, GOOD_DOGS], NAMES) == (
        "Best class by F1: dog (2); worst: cat (2); of 2 seeds."
    )


def test_a_class_that_is_never_found_is_the_worst():
    _, worst = best_and_worst([[[5, 5, 0], [0, 10, 0], [0, 0, 0]]])
    assert worst == {2: 1}


@pytest.mark.parametrize(("images", "verdict"), [(8, "Holds"), (1, "No")])
def test_the_commonest_error_is_compared_with_the_next(images: int, verdict: str):
    generator = np.random.default_rng(0)
    confusions = []
    for _ in range(12):
        confusion = generator.integers(0, 3, (3, 3)) + np.diag([50, 50, 50])
        confusion[1, 0] = images * 2 + generator.integers(0, 2)
        confusion[2, 1] = 8 + generator.integers(0, 2)
        confusions.append(confusion.tolist())
    said = commonest_error(confusions, Error(1, 0), NAMES)
    first = 12 if verdict == "Holds" else 0
    assert said.startswith(f"{verdict}: dog read as cat is the commonest error of {first} of 12")
    assert "; eel read as dog has 8." in said


def test_the_class_table_has_the_report_s_values_above_ours():
    table = class_table([GOOD_CATS], NAMES, (0.5, 0.6, 0.7), (0.5, 0.6, 0.3)).splitlines()
    assert table[2] == "| Precision, report | 0.500 | 0.600 | 0.700 |"
    assert table[5] == "| Recall, ours | 1.000 | 0.800 | 0.500 |"
    assert table[6] == "| F1, report | 0.500 | 0.600 | 0.420 |"


def test_every_stored_confusion_matrix_counts_all_test_images_once():
    assert len(stored()) >= 40
    for confusion, test_accuracy in stored():
        assert np.sum(confusion) == 10_000
        assert np.trace(confusion) / 10_000 == test_accuracy


def test_mean_recall_is_accuracy_where_classes_are_alike_in_number():
    balanced = [one for one, _ in stored() if set(np.sum(one, axis=1)) == {1000}]
    assert len(balanced) >= 20
    for confusion in map(np.array, balanced):
        values = [value for value in recall(confusion) if value is not None]
        assert np.mean(values) == pytest.approx(accuracy(confusion), abs=1e-12)


@pytest.mark.parametrize(
    ("name", "shape", "parameters"),
    [
        ("mnist", (28, 28, 1), 14_682),
        ("cifar10-0", (32, 32, 3), 48_602),
        ("cifar10-final", (32, 32, 3), 24_298),
    ],
)
def test_parameters_are_those_of_tables_2_and_4(name, shape, parameters):
    assert Network(preset(name).layers, shape).summary().parameters == parameters
