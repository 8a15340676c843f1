"""Statistics of runs: spread over seeds, and paired tests over seeds and over test images.

SciPy's special functions, which jax imports anyway, stand for its distributions: ``scipy.stats``
would delay every run by a second.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from scipy import special

LEVEL = 0.05
_Name = TypeVar("_Name", bound=Hashable)


class Spread(NamedTuple):
    """Mean, standard deviation, and 95 % interval of the mean over n seeds."""

    n: int
    mean: float
    sd: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Student's t interval of a mean; NaN for fewer than two values."""
    n, mean = len(values), float(np.mean(values)) if values else math.nan
    if n < 2:
        return Spread(n, mean, math.nan, math.nan, math.nan)
    sd = float(np.std(values, ddof=1))
    half = float(special.stdtrit(n - 1, 1 - LEVEL / 2)) * sd / math.sqrt(n)
    return Spread(n, mean, sd, mean - half, mean + half)


def paired_p(differences: Sequence[float]) -> float:
    """Two-sided p of Student's paired t-test, given the difference of each of at least two pairs.

    Where all differences are equal it is 1 if they are 0, else 0.
    """
    if np.ptp(differences) == 0:
        return float(differences[0] == 0)
    n, mean, sd, *_ = spread(differences)
    return 2 * float(special.stdtr(n - 1, -abs(mean) / sd * math.sqrt(n)))


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Two-sided p of McNemar's exact test, given how many images one classifier alone has right.

    Under equal accuracy each such image is a fair coin; images that both have right or wrong say
    nothing.
    """
    fewer, discordant = min(only_first, only_second), only_first + only_second
    return min(1.0, 2 * float(special.bdtr(fewer, discordant, 0.5)))


def holm(p_values: Mapping[_Name, float]) -> dict[_Name, float]:
    """p-values corrected by Holm's step-down procedure."""
    adjusted, largest = {}, 0.0
    ordered = sorted(p_values, key=lambda name: p_values[name])
    for rank, name in enumerate(ordered):
        largest = max(largest, min(1.0, (len(ordered) - rank) * p_values[name]))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p_values}
