"""Finite differences of the operation's own value: neither autodiff nor the reference.

And of the reference's, which decide where rule and reference differ at extreme arguments. A plain
reference can be numerically wrong far from ordinary numbers without overflowing: autodiff of
log(softmax(x)) divides by probabilities that have underflowed. Where a difference quotient of its
less differentiated value sides with the rule, it is unusable, and the point does not count.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from ffnn_jax.verify._arguments import Sizes, at_sizes
from ffnn_jax.verify._compare import compare, epsilon_of, largest, typical_size
from ffnn_jax.verify._result import Check, Part
from ffnn_jax.verify._subject import Subject, dot, with_reals

_ALL_COORDINATES_UP_TO = 400
_DIRECTIONS = 8
# A central difference errs by h^2 from curvature and by eps / h from rounding; the total is least,
# near 4e-11, at h = eps^(1/3). The tolerance leaves room for curvature and for long sums.
_TOLERANCE = 1e-7
_ROOM = 20.0  # times h^2, where eps is larger than that of float64
_ROUNDINGS = 4.0
_ESTIMATES = 10.0  # times the difference between two steps
_EPSILON = float(np.finfo(np.float64).eps)
_ROUNDINGS_OF_VALUE = 8.0  # of the value, of which the quotient can tell nothing
_CLEARLY = 0.5  # the rule must be closer to the quotient by this factor


def check_differences(subject: Subject, sizes: Sizes, seed: int) -> Iterator[Check]:
    """Every cotangent equals central differences of the operation's own value."""
    generator = np.random.default_rng(seed)
    args, dz = subject.draw_pair(generator, sizes)
    return compare_differences("differences", subject, args, dz, generator, at_sizes(sizes))


def compare_differences(
    name: str, subject: Subject, args: Any, dz: Any, generator: np.random.Generator, sizes: str
) -> Iterator[Check]:
    """Compares each cotangent at these arguments with difference quotients.

    A quotient that depends on the step is trusted only as far.
    """
    _, cotangents = subject.pull(args, dz)
    epsilon = max(epsilon_of(subject), subject.rule.rtol or 0.0)
    unit = epsilon ** (1 / 3)
    tolerance = _TOLERANCE if epsilon == _EPSILON else _ROOM * unit**2
    # Of <f, dz>, if each output errs by a few epsilons of the largest:
    weights = sum(float(np.abs(np.asarray(leaf)).sum()) for leaf in jax.tree.leaves(dz))
    noise = _ROUNDINGS * epsilon_of(subject) * largest(subject.value(*args)) * weights
    for index, cotangent in zip(subject.reals, cotangents, strict=True):
        directions = _directions(args[index], generator)
        step = unit * (typical_size(args[index]) or 1.0)
        expected = np.array([dot(d, cotangent) for d in directions])
        quotients = _quotients(subject, index, args, dz, directions, step)
        slack = np.full(len(directions), noise / step)
        part = (f"d{subject.names[index]}",)
        if not compare(name, part, (expected,), (quotients,), tolerance, slack=slack).passed:
            half = _quotients(subject, index, args, dz, directions, step / 2)
            with np.errstate(invalid="ignore"):
                slack += np.nan_to_num(_ESTIMATES * np.abs(quotients - half))
        if len(directions) == args[index].size:  # one per entry
            shape = args[index].shape
            expected, quotients, slack = (a.reshape(shape) for a in (expected, quotients, slack))
        values, example = ((expected,), (quotients,)), (args, dz)
        yield compare(name, part, *values, tolerance, sizes, slack, example=example)


def _directions(array: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    if array.size > _ALL_COORDINATES_UP_TO:
        directions = generator.normal(size=(_DIRECTIONS, *array.shape)) / math.sqrt(array.size)
    else:
        directions = np.eye(array.size).reshape(array.size, *array.shape)
    return np.concatenate([directions, 1j * directions]) if np.iscomplexobj(array) else directions


def _quotients(
    subject: Subject, index: int, args: Any, dz: Any, directions: np.ndarray, step: float
) -> np.ndarray:
    """The slope of <f, dz> in each direction; NaN where the value is not finite."""

    def moved(change: np.ndarray) -> Any:
        return subject.value(*with_reals(args, (index,), (args[index] + change,)))

    with np.errstate(invalid="ignore"):
        # Before the sum over outputs, so that its rounding is not divided by the step.
        changes = [jax.tree.map(np.subtract, moved(step * d), moved(-step * d)) for d in directions]
        return np.array([dot(change, dz) for change in changes]) / (2 * step)


def sides_with_the_rule(
    value: Callable[[list[Any]], float], args: list[Any], places: Mapping[str, int], row: Check
) -> bool:
    """Whether difference quotients of ``value`` are closer to what the rule got in every part.

    ``places`` has the position of the array that each part is the derivative of ``value`` in.
    """
    return all(p.name in places and _sides(value, args, places[p.name], p) for p in row.parts)


def _sides(value: Callable[[list[Any]], float], args: list[Any], index: int, part: Part) -> bool:
    """One part, at its most wrong entry."""
    entry = part.worst
    got, expected = part.got[entry].real, part.expected[entry].real
    step = _EPSILON ** (1 / 3) * (abs(args[index][entry]) or 1.0)

    def at(change: float) -> float:
        moved = np.array(args[index], copy=True)
        moved[entry] += change
        return value(with_reals(args, (index,), (moved,)))

    with np.errstate(invalid="ignore", over="ignore"):
        right, left = at(step), at(-step)
        quotient = (right - left) / (2 * step)
        noise = _ROUNDINGS_OF_VALUE * _EPSILON * abs(right) / step
        distance = abs(expected - quotient)
        return bool(distance > noise and abs(got - quotient) < _CLEARLY * distance)
