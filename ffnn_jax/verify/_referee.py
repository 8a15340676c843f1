"""Who is right, where a rule and its reference differ at extreme arguments.

A plain reference can be numerically wrong far from ordinary numbers without overflowing: autodiff
of log(softmax(x)) divides by probabilities that have underflowed. A difference quotient of the
reference's own, less differentiated value decides; where it sides with the rule, the reference is
unusable at that point, and the point does not count.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ffnn_jax.verify._result import Check, Part
from ffnn_jax.verify._subject import with_reals

_EPSILON = float(np.finfo(np.float64).eps)
_STEP = _EPSILON ** (1 / 3)
_ROUNDINGS = 8.0  # of the value, of which the quotient can tell nothing
_CLEARLY = 0.5  # the rule must be closer to the quotient by this factor


def sides_with_the_rule(
    value: Callable[[list[Any]], float], args: list[Any], places: Mapping[str, int], row: Check
) -> bool:
    """Whether difference quotients of ``value`` are closer to what the rule got in every part.

    ``places`` has the position of the array that each part is the derivative of ``value`` in.
    """
    return all(p.name in places and _sides(value, args, places[p.name], p) for p in row.parts)


def _sides(value: Callable[[list[Any]], float], args: list[Any], index: int, part: Part) -> bool:
    """One part, at its most wrong entry."""
    with np.errstate(invalid="ignore"):
        error = np.where(part.wrong, np.abs(part.got - part.expected), -1.0)
    entry = np.unravel_index(int(np.argmax(error)), error.shape)
    got, expected = part.got[entry].real, part.expected[entry].real
    step = _STEP * (abs(args[index][entry]) or 1.0)

    def at(change: float) -> float:
        moved = np.array(args[index], copy=True)
        moved[entry] += change
        return value(with_reals(args, (index,), (moved,)))

    with np.errstate(invalid="ignore", over="ignore"):
        right, left = at(step), at(-step)
        quotient, noise = (right - left) / (2 * step), _ROUNDINGS * _EPSILON * abs(right) / step
        distance = abs(expected - quotient)
        return bool(distance > noise and abs(got - quotient) < _CLEARLY * distance)
