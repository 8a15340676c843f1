"""Paired tests against plain definitions and published values."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from ffnn_jax.runs import holm, mcnemar_p, paired_p, spread


def binomial_tail(fewer: int, discordant: int) -> float:
    """The share of the sequences of fair coins that are at least as uneven."""
    heads = range(discordant + 1)
    uneven = [k for k in heads if min(k, discordant - k) <= fewer]
    return sum(math.comb(discordant, k) for k in uneven) / 2**discordant


@pytest.mark.parametrize("pair", [(0, 0), (0, 1), (3, 3), (2, 9), (9, 2), (40, 71), (400, 311)])
def test_mcnemar_is_the_plain_count_of_fair_coins(pair: tuple[int, int]):
    assert mcnemar_p(*pair) == pytest.approx(binomial_tail(min(pair), sum(pair)), rel=1e-9)
    assert mcnemar_p(*pair) == mcnemar_p(*pair[::-1])


def test_mcnemar_gives_published_values():
    """Two-sided sign tests of 1 in 10 and 5 in 20, in every table of the binomial distribution."""
    assert mcnemar_p(1, 9) == pytest.approx(0.0215, abs=5e-5)
    assert mcnemar_p(15, 5) == pytest.approx(0.0414, abs=5e-5)


def test_the_paired_t_test_gives_students_published_value():
    """Student's sleep data (1908): hours gained by ten patients with each of two drugs."""
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    gains = [b - a for a, b in zip(first, second, strict=True)]
    assert paired_p(gains) == pytest.approx(0.002833, abs=5e-7)
    n, mean, _, low, high = spread(gains)
    assert (n, mean) == (10, pytest.approx(1.58))
    assert (low, high) == (pytest.approx(0.7001, abs=5e-5), pytest.approx(2.4599, abs=5e-5))


def test_the_t_test_is_scipys():
    values = np.random.default_rng(3).normal(0.3, 1, 7).tolist()
    expected: Any = stats.ttest_1samp(values, 0)
    assert paired_p(values) == pytest.approx(float(expected.pvalue))


@pytest.mark.parametrize(("values", "p"), [([0.0, 0.0], 1.0), ([0.1, 0.1], 0.0)])
def test_equal_differences_have_a_p_of_their_own(values: list[float], p: float):
    assert paired_p(values) == p


def test_one_value_has_no_spread():
    one = spread([0.5])
    assert (one.n, one.mean) == (1, 0.5)
    assert all(math.isnan(value) for value in one[2:])


def test_holm_is_bonferroni_for_the_smallest_and_never_decreases():
    """Holm's step-down procedure on an example with four hypotheses."""
    adjusted = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert adjusted == pytest.approx({"d": 0.02, "a": 0.03, "c": 0.06, "b": 0.06})
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}
