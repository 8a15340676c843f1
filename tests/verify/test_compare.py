"""Arrays are compared entry by entry, relative to the entry and to what is typical."""

import math

import numpy as np
import pytest

from ffnn_jax.verify._compare import compare

ONES = np.ones(4)
OFF = np.array([1.0, 1.0, 1.01, 1.0])
UNDEFINED = np.array([1.0, np.nan, 1.0, 1.0])


@pytest.mark.parametrize(
    ("allowed", "slack", "passed"),
    [
        (4e-3, 0.0, False),
        (6e-3, 0.0, True),
        (4e-3, 3e-3, True),
        (4e-3, [np.array([0, 0, 3e-3, 0])], True),
        (4e-3, [np.array([3e-3, 3e-3, 0, 3e-3])], False),
        (0.0, 0.0, False),
    ],
)
def test_an_error_passes_within_what_is_allowed_and_the_slack(allowed, slack, passed):
    row = compare("value", ("z",), (OFF,), (ONES,), allowed, slack=slack)
    assert row.passed is passed
    assert [part.wrong.tolist() for part in row.parts] == (
        [] if passed else [[False, False, True, False]]
    )


def test_without_slack_the_worst_error_is_measured_and_placed():
    row = compare("value", ("z",), (OFF,), (ONES,), 4e-3, " at N=4")
    assert row.worst == pytest.approx(0.01 / (1 + 1), rel=1e-6)
    assert row.where == "z[2] at N=4"
    assert compare("value", ("z",), (ONES,), (ONES,), 0.0).worst == 0


@pytest.mark.parametrize(
    ("actual", "expected", "equal_nan", "passed"),
    [
        (UNDEFINED, UNDEFINED, False, True),
        (ONES, UNDEFINED, False, True),
        (UNDEFINED, ONES, False, False),
        (UNDEFINED, UNDEFINED, True, True),
        (ONES, UNDEFINED, True, False),
    ],
)
def test_a_number_where_none_is_expected_counts_only_if_asked(actual, expected, equal_nan, passed):
    row = compare("value", ("z",), (actual,), (expected,), 1e-3, equal_nan=equal_nan)
    assert row.passed is passed
    assert row.passed is (row.worst < math.inf)


def test_parts_of_another_structure_or_shape_fail_and_those_without_a_truth_are_left_out():
    assert compare("value", ("z", "dx"), (ONES, OFF), (ONES, None), 0.0).passed
    row = compare("value", ("z",), ((ONES, ONES),), ((ONES,),), 1e-3)
    assert (row.passed, row.worst, row.note) == (False, math.inf, "different structure")
    row = compare("value", ("z",), (ONES,), (np.ones(3),), 1e-3)
    assert (row.passed, row.note) == (False, "shape (4,), not (3,)")
