"""Elementwise comparison, and how large a difference may be.

A difference is judged relative to the expected entry plus the typical size of its array. Where
rounding alone moves the reference by more, as in a badly conditioned problem or a sum that cancels,
the difference may be as large: the reference is evaluated again at arguments that are changed by a
rounding error each.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from ffnn_jax.verify._layout import is_inexact
from ffnn_jax.verify._result import Check, Part
from ffnn_jax.verify._subject import Function, Subject, with_reals

TOLERANCE = 1e-9
_NARROW_TOLERANCE = 1e-5  # where the operation runs in float32
_CONDITIONING = 1000.0  # times the measured movement, for algorithms that round more often
_NUDGE = 4 * float(np.finfo(np.float64).eps)
_MOVEMENTS = 2
_FAR = 1e300
# A typical size below this fraction of what goes in is rounding error of a zero.
_CANCELLATION = 2.0**-40
_ROUNDINGS = 256.0  # of the typical size at ordinary arguments, for a result far from them


def epsilon_of(subject: Subject) -> float:
    """The rounding of the dtype that the operation runs in."""
    return float(np.finfo(np.float64 if subject.wide else np.float32).eps)


def allowed_error(subject: Subject, arrays: Sequence[Any]) -> float:
    """The tolerance, times the square root of the longest sum: rounding is a random walk."""
    longest = max((np.size(array) for array in arrays), default=1)
    tolerance = TOLERANCE if subject.wide else _NARROW_TOLERANCE
    return max(tolerance * math.sqrt(max(longest, 1)), subject.rule.rtol or 0.0)


def named_leaves(name: str, tree: Any) -> Iterator[tuple[str, Any]]:
    """The arrays of a pytree, each with its name and path in the tree."""
    for keys, leaf in jax.tree_util.tree_leaves_with_path(tree):
        yield f"{name}{jax.tree_util.keystr(keys)}", leaf


def named_results(subject: Subject, results: Any) -> Iterator[tuple[str, Any]]:
    """The arrays of (value, cotangents), each with its name."""
    z, cotangents = results
    for name, part in zip(("z", *subject.cotangent_names), (z, *cotangents), strict=True):
        yield from named_leaves(name, part)


def compare(
    name: str, names: Sequence[str], actual: Any, expected: Any, allowed: float, sizes: str = "",
    slack: Any = 0.0, equal_nan: bool = False, example: Any = None,
) -> Check:  # fmt: skip
    """Compares pytrees: |actual - expected| <= allowed (|expected| + typical) + slack.

    The parts have ``names``; one whose expected value is None is not compared. If ``allowed`` is 0,
    they must be equal. ``slack`` is a number, or a list of one array for each leaf. An entry whose
    expected value is not finite is outside the domain, and ignored, unless ``equal_nan``.
    """
    worst, where, parts = 0.0, "", []
    leaves = list(_leaf_pairs(names, actual, expected))
    slacks = slack if isinstance(slack, list) else [slack] * len(leaves)
    for (path, a, b), leaf_slack in zip(leaves, slacks, strict=True):
        if a is None or a.shape != b.shape:
            note = "different structure" if a is None else f"shape {a.shape}, not {b.shape}"
            return Check(name, False, math.inf, allowed, path, note, example=example)
        error = _errors(a, b, allowed, leaf_slack, equal_nan)
        index = np.unravel_index(int(np.argmax(error)), error.shape) if error.size else ()
        largest = float(error[index]) if error.size else 0.0
        if largest > worst or not where:
            position = list(map(int, index)) if index else ""
            worst, where = largest, f"{path}{position}{sizes}"
        if largest > allowed:
            parts.append(Part(path, a, b, error > allowed))
    return Check(name, worst <= allowed, worst, allowed, where, parts=tuple(parts), example=example)


def movement(pull: Function, args: Any, dz: Any, expected: Any, epsilon: float) -> list[Any]:
    """How far the results of ``pull`` move, leaf by leaf, if each input changes by a rounding."""
    generator = np.random.default_rng(0)
    moved = [np.zeros(np.shape(leaf)) for leaf in jax.tree.leaves(expected)]
    for _ in range(_MOVEMENTS):
        nearby = jax.tree.map(lambda leaf: _nudged(generator, leaf, epsilon), (list(args), dz))
        moved = list(map(np.fmax, moved, _changes(pull(*nearby), expected)))
    capped = [np.minimum(m, _FAR) for m in moved]
    return [m + typical_size(m) for m in capped]  # one that did not move, by chance, may yet


def conditioning(f: Function, subject: Subject, args: Any, results: Any) -> list[Any]:
    """What rounding explains in each leaf of ``f(args)``, from arguments moved by a few of it."""
    nearby = with_reals(args, subject.reals, [args[i] * (1 + _NUDGE) for i in subject.reals])
    return _changes(f(nearby), results, _CONDITIONING)


def rounding_slack(
    subject: Subject, args: Any, dz: Any, expected: Any, base: Any = None
) -> list[Any]:
    """The absolute error that rounding explains in each leaf of the expected (value, cotangents).

    ``base`` has the typical sizes of the leaves at ordinary arguments, if these are far from them.
    """
    moved = movement(subject.reference_pull, args, dz, expected, epsilon_of(subject))
    zeros = cancelled(subject, args, dz, expected)
    sizes = np.add(zeros, base or 0.0)
    unit = _ROUNDINGS * epsilon_of(subject)
    return [_CONDITIONING * m + unit * size for m, size in zip(moved, sizes, strict=True)]


def cancelled(subject: Subject, args: Any, dz: Any, expected: Any) -> list[float]:
    """For each leaf that is a rounding error of 0, the size of what cancelled; 0 for others."""
    z, cotangents = expected
    size_z, size_dz = largest(z), largest(dz)
    inputs = largest([args[i] for i in subject.reals])
    tiny = _CANCELLATION * min(inputs, 1.0)
    scales = [inputs if typical_size(leaf) < tiny else 0.0 for leaf in jax.tree.leaves(z)]
    for i, leaf in zip(subject.reals, cotangents, strict=True):
        sizes = _sizes(args[i])
        nearest = sizes[sizes > 0].min(initial=np.inf)  # to 0, where slopes are steepest
        small = size_z <= _CANCELLATION * size_dz or not np.isfinite(nearest)
        natural = size_dz * (1.0 if small else size_z / nearest)
        scales.append(natural if typical_size(leaf) < _CANCELLATION * natural else 0.0)
    return scales


def typical_size(leaf: Any) -> float:
    """The root mean square of the finite entries."""
    sizes = _sizes(leaf)
    finite = sizes[np.isfinite(sizes)]
    top = finite.max(initial=0.0)
    return float(top * np.sqrt(np.mean((finite / top) ** 2))) if top > 0 else 0.0


def largest(tree: Any) -> float:
    """The largest finite magnitude in a pytree; 0 if it is empty."""
    sizes = map(_sizes, jax.tree.leaves(tree))
    return max((float(s[np.isfinite(s)].max(initial=0.0)) for s in sizes), default=0.0)


def all_finite(tree: Any) -> bool:
    """Whether every entry in a pytree is finite."""
    return all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(tree))


def _sizes(array: Any) -> np.ndarray:
    return np.abs(np.asarray(array)).astype(np.float64)


def _leaf_pairs(names: Sequence[str], actual: Any, expected: Any) -> Iterator[tuple[str, Any, Any]]:
    for part, actual_part, expected_part in zip(names, actual, expected, strict=True):
        ours, theirs = list(named_leaves(part, actual_part)), jax.tree.leaves(expected_part)
        if expected_part is None:
            continue
        if len(ours) != len(theirs):
            yield part, None, None
            continue
        for (path, a), b in zip(ours, theirs, strict=True):
            yield path, _wide(a), _wide(b)


def _wide(array: Any) -> np.ndarray:
    array = np.asarray(array)
    return array.astype(np.complex128 if np.iscomplexobj(array) else np.float64)


def _errors(
    a: np.ndarray, b: np.ndarray, allowed: float, slack: Any, equal_nan: bool
) -> np.ndarray:
    """The error of each entry, relative to what is typical; infinite where a is not finite."""
    scale = np.abs(b) + typical_size(b) + (slack / allowed if allowed else 0.0)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        error = np.abs(a - b) / (scale if allowed else 1 + np.abs(b))
    error = np.where(np.isnan(error), math.inf, error)
    same = (a == b) | (equal_nan & np.isnan(a) & np.isnan(b))
    outside = np.zeros_like(same) if equal_nan else ~np.isfinite(b)
    return np.where(same | outside, 0.0, error)


def _nudged(generator: np.random.Generator, array: Any, epsilon: float) -> Any:
    array = np.asarray(array)
    if not is_inexact(array):
        return array
    factor = 1 + epsilon * generator.choice([-1.0, 1.0], array.shape)
    return (array * factor).astype(array.dtype)


def _changes(again: Any, results: Any, factor: float = 1.0) -> list[np.ndarray]:
    """How far each leaf moved, times a factor; 0 where it is not a number."""
    pairs = zip(jax.tree.leaves(again), jax.tree.leaves(results), strict=True)
    with np.errstate(invalid="ignore", over="ignore"):
        return [np.nan_to_num(factor * np.abs(np.asarray(a) - np.asarray(b))) for a, b in pairs]
