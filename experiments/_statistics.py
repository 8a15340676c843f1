"""Statistics over seeds: spread, intervals, paired comparisons, and detectable differences.

The test images are the same for every seed, so intervals are over seeds only: they estimate where
the mean of many more seeds would lie on these images, and say nothing about other images.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from scipy import optimize, stats

from ffnn_jax.runs import LEVEL, holm, paired_p, spread

_POWER = 0.8


class Comparison(NamedTuple):
    """A paired comparison over n seeds, in the units of the compared values.

    ``low`` and ``high`` are the uncorrected 95 % interval. ``adjusted`` is p, Holm-corrected for
    all comparisons made together; ``smallest`` is the difference that n pairs of this spread
    would have detected with probability 0.8, at the strictest step of that correction.
    """

    n: int
    difference: float
    low: float
    high: float
    p: float
    adjusted: float
    smallest: float

    @property
    def decided(self) -> bool:
        """Whether the difference is significant after the correction."""
        return self.adjusted < LEVEL


def single_run_interval(values: Sequence[float]) -> tuple[float, float]:
    """The interval that holds one more seed's value with probability 0.95, for normal values."""
    summary = spread(values)
    deviation = math.sqrt(1 + 1 / summary.n) * summary.sd
    half = float(stats.t.ppf(1 - LEVEL / 2, summary.n - 1)) * deviation
    return summary.mean - half, summary.mean + half


def compare(differences: Mapping[str, Sequence[float]]) -> dict[str, Comparison]:
    """Student's paired t-test of each, corrected together.

    Args:
        differences: one per seed, by the name of the comparison; at least two each.
    """
    raw = {name: paired_p(values) for name, values in differences.items()}
    adjusted = holm(raw)
    return {
        name: _comparison(values, raw[name], adjusted[name], len(differences))
        for name, values in differences.items()
    }


def _comparison(values: Sequence[float], p: float, adjusted: float, comparisons: int) -> Comparison:
    summary = spread(values)
    smallest = _detectable(summary.n, LEVEL / comparisons) * summary.sd / math.sqrt(summary.n)
    return Comparison(summary.n, summary.mean, summary.low, summary.high, p, adjusted, smallest)


@functools.cache
def _detectable(n: int, level: float) -> float:
    """The mean, in standard errors, that a test of n values detects with probability 0.8.

    The statistic follows the noncentral t distribution with that mean as its parameter;
    significance with the wrong sign is too rare to count.
    """
    critical = stats.t.ppf(1 - level / 2, n - 1)

    def missing_power(mean: float) -> float:
        return float(stats.nct.sf(critical, n - 1, mean)) - _POWER

    root: Any = optimize.brentq(missing_power, critical / 2, 3 * critical)
    return float(root)
