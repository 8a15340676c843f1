"""Who is right, where a rule and its reference differ at extreme arguments.

A plain reference can be numerically wrong far from ordinary numbers without overflowing: autodiff
of log(softmax(x)) divides by probabilities that have underflowed. A difference quotient of the
reference's own, less differentiated value decides; where it sides with the rule, the reference is
unusable at that point, and the point does not count.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ffnn_jax.verify._result import Part

_STEP = float(np.finfo(np.float64).eps) ** (1 / 3)
_CLEARLY = 0.5  # the rule must be closer to the quotient by this factor


def sides_with_the_rule(
    value: Callable[[list[Any]], float], args: list[Any], index: int, part: Part
) -> bool:
    """Whether a difference quotient of ``value`` is closer to what the rule got.

    Args:
        value: a function of all arrays, whose derivative was compared.
        args: the arrays.
        index: the position of the array with respect to which it was differentiated.
        part: got and expected derivative, in the shape of this array.
    """
    with np.errstate(invalid="ignore"):
        error = np.where(part.wrong, np.abs(part.got - part.expected), -1.0)
    entry = np.unravel_index(int(np.argmax(error)), error.shape)
    got, expected = part.got[entry].real, part.expected[entry].real
    step = _STEP * (abs(args[index][entry]) or 1.0)

    def at(change: float) -> float:
        moved = np.array(args[index], copy=True)
        moved[entry] += change
        return value([moved if i == index else array for i, array in enumerate(args)])

    with np.errstate(invalid="ignore", over="ignore"):
        quotient = (at(step) - at(-step)) / (2 * step)
        return bool(abs(got - quotient) < _CLEARLY * abs(expected - quotient))
