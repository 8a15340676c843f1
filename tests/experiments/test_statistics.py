import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from experiments._statistics import compare, single_run_interval
from ffnn_jax.runs import spread


def test_the_interval_holds_the_true_mean_in_95_percent_of_cases():
    generator = np.random.default_rng(0)
    found = [spread(generator.normal(3, 2, 8).tolist()) for _ in range(4000)]
    holding = np.mean([one.low < 3 < one.high for one in found])
    assert holding == pytest.approx(0.95, abs=4 * math.sqrt(0.05 * 0.95 / 4000))


def test_the_range_of_a_single_run_holds_the_next_one_in_95_percent_of_cases():
    generator = np.random.default_rng(2)
    held = []
    for _ in range(4000):
        low, high = single_run_interval(generator.normal(3, 2, 8).tolist())
        held.append(low < generator.normal(3, 2) < high)
    assert np.mean(held) == pytest.approx(0.95, abs=4 * math.sqrt(0.05 * 0.95 / 4000))


def test_without_differences_one_family_in_twenty_decides_any_comparison():
    generator = np.random.default_rng(1)
    families = [
        compare({name: generator.normal(0, 1, 12).tolist() for name in "abcdef"})
        for _ in range(1500)
    ]
    share = np.mean([any(one.decided for one in family.values()) for family in families])
    assert share == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / 1500))


@pytest.mark.parametrize(("n", "comparisons"), [(20, 1), (10, 8), (5, 14)])
def test_the_smallest_difference_is_detected_in_80_percent_of_cases(n: int, comparisons: int):
    generator = np.random.default_rng(2)
    values = generator.normal(0, 1, n)
    family = {str(k): values.tolist() for k in range(comparisons)}
    in_errors = compare(family)["0"].smallest / (np.std(values, ddof=1) / math.sqrt(n))
    draws = generator.normal(in_errors / math.sqrt(n), 1, (20_000, n))
    tested: Any = stats.ttest_1samp(draws, 0, axis=1)
    assert np.mean(tested.pvalue < 0.05 / comparisons) == pytest.approx(0.8, abs=0.012)
