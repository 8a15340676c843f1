"""Special points that random numbers never hit, where a derivative is often a convention.

What differs from the reference at zeros, ties, tiny, huge and infinite numbers is listed with both
values, but is not a failure; a kink can declare it.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from ffnn_jax.verify._arguments import Sizes, bounds_of
from ffnn_jax.verify._compare import cancelled, largest, named_results, typical_size
from ffnn_jax.verify._layout import arrays_of
from ffnn_jax.verify._subject import Subject, in_float64, with_reals
from ffnn_jax.verify._transforms import compiled_slope

_TOLERANCE = 1e-6
_ROUNDING = 1e-6  # of what cancels to a rounding error of 0
_LISTED = 8
_SECOND_TOLERANCE, _SQUARED = 1e-3, 1e100
_ORDINARY = ("", ">0", "complex")
_FINITE = "0 1 -1 1e-8 -1e-8"
_EXTREME = " 1e300 -1e300 1e-300"  # in float64
Compared = tuple[str, np.ndarray, np.ndarray, np.ndarray]


def undeclared_conventions(subject: Subject, sizes: Sizes, seed: int) -> list[str]:
    """Where operation and reference differ at special points that no kink declares."""
    if subject.reference is None:
        return []
    found: dict[str, str] = {}
    generator = np.random.default_rng(seed)
    for point, args in _points(subject, subject.draw(generator, sizes)):
        dz = jax.tree.map(np.ones_like, subject.draw_cotangent(generator, args))
        difference = _difference(subject, args, dz)
        if difference:
            found.setdefault(difference, point)
    lines = [f"{point} gives {difference}" for difference, point in found.items()]
    more = len(lines) - _LISTED
    return lines[:_LISTED] + ([f"and {more} more"] if more > 0 else [])


def _points(subject: Subject, ordinary: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Each special point, with a description."""
    for i in subject.reals if subject.rule.draw is None else ():
        for text, value, array in _special(subject, i, ordinary[i]) if ordinary[i].size else ():
            if not _is_declared(subject, i, value):
                yield text, with_reals(ordinary, (i,), (array,))
    for i, j in zip(subject.reals, subject.reals[1:], strict=False):
        same = ordinary[i].shape == ordinary[j].shape and subject.words[i] == subject.words[j]
        if same and subject.rule.draw is None and not subject.rule.kinks:
            names = f"{subject.names[i]} = {subject.names[j]}"
            yield names, with_reals(ordinary, (j,), (ordinary[i],))


def _special(subject: Subject, i: int, array: Any) -> Iterator[tuple[str, float, np.ndarray]]:
    """Special values of an argument: a description, the value, and the array that has it."""
    name, word = subject.names[i], subject.words[i]
    domain = word.domain if word else ""
    finite = _FINITE + _EXTREME * subject.wide
    texts = {"": f"{finite} inf -inf nan", "complex": finite, ">0": "0 1 1e-8 inf"}
    values = [(text, float(text)) for text in texts.get(domain, "").split()]
    if bounds := bounds_of(domain):
        values = [(f"{value:g}", value) for value in (bounds[0], sum(bounds) / 2, bounds[1])]
    for text, value in values:
        yield f"{name} = {text}", value, np.full_like(array, value)
    if array.ndim and domain in _ORDINARY and len(array) > 1:
        for text, depth in (("a row of 0", 1), ("a first entry of 0", array.ndim)):
            changed = array.copy()
            changed[(0,) * depth] = 0.0
            yield f"{text} in {name}", 0.0, changed


def _is_declared(subject: Subject, index: int, value: float) -> bool:
    """Whether a kink has this value in this argument, or ties, as every special point has."""
    for kink in subject.rule.kinks:
        declared = np.asarray(arrays_of(kink.args)[index])
        if np.any((declared == value) | (np.isnan(declared) & np.isnan(value))):
            return True
        if len(np.unique(declared)) < declared.size and np.isfinite(value):
            return True
    return False


def _difference(subject: Subject, args: Any, dz: Any) -> str:
    """The first entry that differs, as "dx 0, reference 0.5", or ""."""
    compared = itertools.chain(_results(subject, args, dz), _slopes(subject, args, dz))
    with np.errstate(invalid="ignore", over="ignore"):
        for name, a, b, wrong in compared:
            if wrong.any():
                index = tuple(map(int, np.argwhere(wrong)[0]))
                return f"{name}{list(index) or ''} {a[index]:.4g}, reference {b[index]:.4g}"
    return ""


def _results(subject: Subject, args: Any, dz: Any) -> Iterator[Compared]:
    """Value and cotangents: a name, ours, the reference's, and where they differ."""
    theirs = subject.reference_pull(args, dz)
    ours, zeros = subject.pull(args, dz), cancelled(subject, args, dz, theirs)
    named = named_results(subject, ours), jax.tree.leaves(theirs), zeros
    for (name, a), b, zero in zip(*named, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        close = np.abs(a - b) <= _TOLERANCE * (np.abs(b) + typical_size(b) + _ROUNDING * zero)
        yield name, a, b, ~(close | (a == b) | (np.isnan(a) & np.isnan(b)))


def _slopes(subject: Subject, args: Any, dz: Any) -> Iterator[Compared]:
    """The same of the derivative of a slope, where both are finite and small enough to square."""
    if subject.rule.order == 1 or largest([args[i] for i in subject.reals]) > _SQUARED:
        return
    direction = [np.ones_like(args[i]) for i in subject.reals]
    ours = compiled_slope(subject.op, subject.reals)(args, dz, direction)[1:]
    theirs = in_float64(compiled_slope(subject.truth, subject.reals))(args, dz, direction)[1:]
    for name, *pair in zip(subject.cotangent_names, ours, theirs, strict=True):
        a, b = map(np.asarray, pair)
        close = np.abs(a - b) <= _SECOND_TOLERANCE * (1 + np.abs(b))
        yield f"d({name})", a, b, ~close & np.isfinite(a) & np.isfinite(b)
