"""Classes over many seeds: hand-worked values, and invariants of stored confusion matrices."""

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest

from experiments._class_table import class_table, extremes
from experiments._classes import Error, best_and_worst, commonest_error, spreads_of_classes
from experiments._report import ReportedRun
from experiments._results import RESULTS
from ffnn_jax.config import preset
from ffnn_jax.network import Network
from ffnn_jax.reporting import recall
from ffnn_jax.runs.sweeps import read_records

NAMES = ("cat", "dog", "eel")
REPORT = ReportedRun(0.5, (0.5, 0.6, 0.7), (0.5, 0.6, 0.3))
GOOD_CATS = [[10, 0, 0], [1, 8, 1], [2, 3, 5]]
GOOD_DOGS = [[6, 0, 4], [0, 10, 0], [2, 0, 8]]


def stored() -> list[Any]:
    """Every stored confusion matrix, with its seed's test accuracy."""
    found = []
    for name in ("mnist", "final"):
        result = json.loads((RESULTS / f"{name}.json").read_text())
        found += zip(result["confusion"], result["test_accuracy"], strict=True)
    return found + [(record["confusion"], record["test_accuracy"]) for record in stored_seeds()]


def stored_seeds() -> list[dict[str, Any]]:
    """Every stored seed that was tested."""
    paths = sorted(RESULTS.glob("*.jsonl"))
    return [record for path in paths for record in read_records(path) if "confusion" in record]


def test_class_values_have_a_mean_and_deviation():
    found = spreads_of_classes([GOOD_CATS, GOOD_DOGS])
    assert found["Recall"][0][:3] == pytest.approx((2, 0.8, np.std([1, 0.6], ddof=1)))
    assert found["Precision"][1].mean == pytest.approx((8 / 11 + 1) / 2)
    assert found["F1"][2].mean == pytest.approx((2 * 5 / 16 + 2 * 8 / 22) / 2)


def test_best_and_worst_classes_are_counted_by_f1():
    assert best_and_worst([GOOD_CATS, GOOD_DOGS, GOOD_DOGS]) == (
        Counter({1: 2, 0: 1}),
        Counter({0: 2, 2: 1}),
    )
    sentence = extremes([GOOD_DOGS, GOOD_DOGS], NAMES, REPORT)
    assert sentence == (
        "By F1 the report's best class is dog and its worst eel. "
        "Ours, of 2 seeds: the best is dog in 2; the worst cat in 2."
    )


def test_a_class_without_a_score_is_the_worst():
    _, worst = best_and_worst([[[5, 5, 0], [0, 10, 0], [0, 0, 0]]])
    assert worst == {2: 1}


@pytest.mark.parametrize(
    ("images", "verdict", "first"), [(8, "Holds", 12), (1, "Refuted", 0), (4, "Not decided", None)]
)
def test_the_claimed_error_is_compared_with_every_other(images: int, verdict: str, first: Any):
    generator = np.random.default_rng(0)
    confusions = []
    for _ in range(12):
        confusion = generator.integers(0, 3, (3, 3)) + np.diag([50, 50, 50])
        confusion[1, 0] = images * 2 + generator.integers(0, 2)
        confusion[2, 1] = 8 + generator.integers(0, 2)
        confusions.append(confusion.tolist())
    sentence = commonest_error(confusions, Error(1, 0), NAMES)
    assert sentence.startswith(f"{verdict}: dog read as cat is the commonest error of ")
    assert first is None or f"of {first} of 12 seeds" in sentence
    assert "eel read as dog (8." in sentence


def test_the_class_table_has_the_report_s_values_above_ours():
    table = class_table([GOOD_CATS], NAMES, REPORT).splitlines()
    assert table[2] == "| Precision, report | 0.500 | 0.600 | 0.700 |"
    assert table[5] == "| Recall, ours | 1.000 | 0.800 | 0.500 |"
    assert table[6] == "| F1, report | 0.500 | 0.600 | 0.420 |"


def test_a_class_that_no_seed_predicts_has_a_dash():
    table = class_table([[[5, 5, 0], [0, 10, 0], [0, 9, 0]]], NAMES, REPORT)
    assert table.splitlines()[3] == "| Precision, ours | 1.000 | 0.417 | – |"


def test_every_stored_confusion_matrix_counts_all_test_images_once():
    assert len(stored()) >= 40
    for confusion, test_accuracy in stored():
        assert np.sum(confusion) == 10_000
        assert np.trace(confusion) / 10_000 == test_accuracy


def test_mean_recall_is_accuracy_for_classes_of_equal_size():
    """CIFAR-10's test set has 1,000 of each class; the accuracy is computed without the matrix."""
    cifar10_records = [
        record for record in stored_seeds() if record["settings"]["dataset"] == "cifar10"
    ]
    assert len(cifar10_records) >= 180
    for record in cifar10_records:
        confusion = np.array(record["confusion"])
        assert confusion.sum(axis=1).tolist() == [1000] * 10
        values = [value for value in recall(confusion) if value is not None]
        assert np.mean(values) == pytest.approx(record["test_accuracy"], abs=1e-12)


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
