"""Special points that random numbers never hit, where a derivative is often a convention.

Zeros, ties, a zero row, tiny, huge and infinite numbers: what differs there from the reference is
listed with the values of both sides, but is not a failure; a kink can declare it.
"""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from ffnn_jax.verify._arguments import Sizes
from ffnn_jax.verify._compare import cancelled, named_leaves, typical_size
from ffnn_jax.verify._layout import arrays_of
from ffnn_jax.verify._subject import Subject

_TOLERANCE = 1e-6
_ROUNDING = 1e-6  # of what cancels to a rounding error of 0
_LISTED = 8
_LARGEST, _SMALLEST = 1e300, 1e-300
_ORDINARY = ("", ">0", "complex")


def undeclared_conventions(subject: Subject, sizes: Sizes, seed: int) -> list[str]:
    """Where operation and reference differ at special points that no kink declares."""
    if subject.reference is None:
        return []
    found: dict[str, str] = {}
    generator = np.random.default_rng(seed)
    ordinary = subject.draw(generator, sizes)
    for point, args in _points(subject, ordinary, generator):
        dz = subject.draw_cotangent(generator, args)
        dz = jax.tree.map(np.ones_like, dz)
        ours = subject.pull(args, dz)
        difference = _difference(subject, args, dz, ours, subject.reference_pull(args, dz))
        if difference:
            found.setdefault(difference, point)
    lines = [f"{point} gives {difference}" for difference, point in found.items()]
    more = len(lines) - _LISTED
    return lines[:_LISTED] + ([f"and {more} more"] if more > 0 else [])


def _points(
    subject: Subject, ordinary: list[Any], generator: np.random.Generator
) -> Iterator[tuple[str, list[Any]]]:
    """Each special point, with a description."""
    for i in subject.reals:
        word, array = subject.words[i], ordinary[i]
        if subject.rule.draw is not None or not array.size:
            continue
        for text, value in _special_values(word.domain if word else "", subject.wide):
            changed = np.full_like(array, value)
            if not _is_declared(subject, i, changed.reshape(-1)[:1]):
                yield f"{subject.names[i]} = {text}", _replaced(ordinary, i, changed)
        if array.ndim and (word is None or word.domain in _ORDINARY) and len(array) > 1:
            for text, value in (("a row of 0", 0.0), ("a first entry of 0", 0.0)):
                changed = array.copy()
                changed[(0,) * (1 if text.startswith("a row") else array.ndim)] = value
                if not _is_declared(subject, i, np.zeros(1)):
                    yield f"{text} in {subject.names[i]}", _replaced(ordinary, i, changed)
    for i, j in zip(subject.reals, subject.reals[1:], strict=False):
        if ordinary[i].shape == ordinary[j].shape and not _ties(subject):
            names = f"{subject.names[i]} = {subject.names[j]}"
            yield names, _replaced(ordinary, j, ordinary[i])


def _special_values(domain: str, wide: bool) -> Iterator[tuple[str, float]]:
    """Values of every entry, those in or at the end of the domain."""
    if domain in ("", "complex"):
        yield from (("0", 0.0), ("1", 1.0), ("-1", -1.0), ("1e-8", 1e-8), ("-1e-8", -1e-8))
    if domain in ("", "complex") and wide:
        yield from (("1e300", _LARGEST), ("-1e300", -_LARGEST), ("1e-300", _SMALLEST))
    if domain == "":
        yield from (("inf", np.inf), ("-inf", -np.inf), ("nan", np.nan))
    if domain == ">0":
        yield from (("0", 0.0), ("1", 1.0), ("1e-8", 1e-8), ("inf", np.inf))
    if domain.startswith("("):
        low, high = map(float, domain[1:-1].split(","))
        yield from ((f"{bound:g}", bound) for bound in (low, (low + high) / 2, high))


def _replaced(args: list[Any], index: int, array: Any) -> list[Any]:
    return [array if i == index else arg for i, arg in enumerate(args)]


def _is_declared(subject: Subject, index: int, values: np.ndarray) -> bool:
    """Whether a declared kink has this value in this argument."""
    for kink in subject.rule.kinks:
        declared = np.asarray(arrays_of(kink.args)[index])
        if any(np.any((declared == v) | (np.isnan(declared) & np.isnan(v))) for v in values):
            return True
        if len(np.unique(declared)) < declared.size and np.isfinite(values).all():
            return True  # ties: every entry of a special point is equal
    return False


def _ties(subject: Subject) -> bool:
    return bool(subject.rule.kinks)


def _difference(subject: Subject, args: Any, dz: Any, ours: Any, theirs: Any) -> str:
    """The first entry that differs, as "dx 0, reference 0.5", or ""."""
    zeros = cancelled(subject, args, dz, theirs)
    names = ("z", *subject.cotangent_names)
    pairs = zip(names, (ours[0], *ours[1]), (theirs[0], *theirs[1]), strict=True)
    leaves = [
        (name, np.asarray(a), np.asarray(b))
        for part, ours_part, theirs_part in pairs
        for (name, a), b in zip(
            named_leaves(part, ours_part), jax.tree.leaves(theirs_part), strict=True
        )
    ]
    for (name, a, b), zero in zip(leaves, zeros, strict=True):
        with np.errstate(invalid="ignore", over="ignore"):
            close = np.abs(a - b) <= _TOLERANCE * (np.abs(b) + typical_size(b) + _ROUNDING * zero)
        wrong = ~(close | (a == b) | (np.isnan(a) & np.isnan(b)))
        if wrong.any():
            index = tuple(int(i) for i in np.argwhere(wrong)[0])
            at = str(list(index)) if index else ""
            return f"{name}{at} {_text(a[index])}, reference {_text(b[index])}"
    return ""


def _text(value: Any) -> str:
    return f"{value:.4g}"
