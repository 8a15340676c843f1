"""Elementwise comparison, and how large a difference may be.

A difference is judged relative to the expected entry plus the typical size of its array. Where
rounding alone moves the reference by more than that, as in a badly conditioned problem or a sum
that cancels, the difference may be as large as this movement, which is measured: the reference is
evaluated again at arguments that are changed by a rounding error each.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from ffnn_jax.verify._layout import is_inexact
from ffnn_jax.verify._result import Check, Part
from ffnn_jax.verify._subject import Function, Subject

TOLERANCE = 1e-9
_EPSILON = float(np.finfo(np.float64).eps)
_NARROW_TOLERANCE = 1e-5  # where the operation runs in float32
_CONDITIONING = 1000.0  # times the measured movement, for algorithms that round more often
_MOVEMENTS = 2
_FAR = 1e300
# A typical size below this fraction of what goes in is rounding error of a zero.
_CANCELLATION = 2.0**-40
_ROUNDINGS = 256.0  # of the typical size at ordinary arguments, for a result far from them


def allowed_error(subject: Subject, arrays: Sequence[Any]) -> float:
    """The tolerance, times the square root of the longest possible sum over one of these arrays.

    The rounding error of a sum of n terms grows like a random walk.
    """
    longest = max((np.size(array) for array in arrays), default=1)
    tolerance = TOLERANCE if subject.wide else _NARROW_TOLERANCE
    return max(tolerance * math.sqrt(max(longest, 1)), subject.rule.rtol or 0.0)


def named_leaves(name: str, tree: Any) -> Iterator[tuple[str, Any]]:
    """The arrays of a pytree, each with its name and path in the tree."""
    for keys, leaf in jax.tree_util.tree_leaves_with_path(tree):
        yield f"{name}{jax.tree_util.keystr(keys)}", leaf


def compare(
    name: str,
    names: Sequence[str],
    actual: Any,
    expected: Any,
    allowed: float,
    sizes: str = "",
    slack: Any = 0.0,
    equal_nan: bool = False,
) -> Check:
    """Compares pytrees: |actual - expected| <= allowed (|expected| + typical) + slack.

    Args:
        name: the name of the check.
        names: names of the top-level parts, to locate the worst error.
        actual: a tuple of pytrees.
        expected: the same for the expected values. A part that is None is not compared.
        allowed: the largest relative error that passes; 0 requires equality.
        sizes: the sizes of the arguments, as text.
        slack: an absolute error that passes as well: a number, or one array for each leaf.
        equal_nan: whether NaN and infinity must be met; by default an entry whose expected value
            is not finite is outside the domain, and not compared.
    """
    worst, where, parts = 0.0, "", []
    leaves = list(_leaf_pairs(names, actual, expected))
    slacks = slack if isinstance(slack, list) else [slack] * len(leaves)
    for (path, a, b), leaf_slack in zip(leaves, slacks, strict=True):
        if a is None or a.shape != b.shape:
            note = "different structure" if a is None else f"shape {a.shape}, not {b.shape}"
            return Check(name, False, math.inf, allowed, path, note)
        error = _errors(a, b, allowed, leaf_slack, equal_nan)
        index = np.unravel_index(int(np.argmax(error)), error.shape) if error.size else ()
        largest = float(error[index]) if error.size else 0.0
        if largest > worst or not where:
            position = list(map(int, index)) if index else ""
            worst, where = largest, f"{path}{position}{sizes}"
        if largest > allowed:
            parts.append(Part(path, a, b, error > allowed))
    return Check(name, worst <= allowed, worst, allowed, where, parts=tuple(parts))


def movement(pull: Function, args: Any, dz: Any, expected: Any, epsilon: float) -> list[Any]:
    """How far the results of ``pull`` move, leaf by leaf, if each input changes by a rounding."""
    generator = np.random.default_rng(0)
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(expected)]
    moved = [np.zeros(np.shape(leaf)) for leaf in leaves]
    for _ in range(_MOVEMENTS):
        nearby = [_nudged(generator, array, epsilon) for array in args]
        nearby_dz = jax.tree.map(lambda leaf: _nudged(generator, leaf, epsilon), dz)
        again = jax.tree.leaves(pull(nearby, nearby_dz))
        with np.errstate(invalid="ignore", over="ignore"):
            changes = [np.abs(np.asarray(a) - b) for a, b in zip(again, leaves, strict=True)]
        moved = [np.fmax(m, np.nan_to_num(c, nan=0.0)) for m, c in zip(moved, changes, strict=True)]
    return [_spread(m) for m in moved]


def rounding_slack(
    subject: Subject, args: Any, dz: Any, expected: Any, base: Any = None
) -> list[Any]:
    """The absolute error that rounding explains in each leaf of (value, cotangents).

    Args:
        subject: the subject.
        args: the arguments.
        dz: the cotangent of the outputs.
        expected: the reference's (value, cotangents).
        base: typical sizes of the leaves at ordinary arguments, for arguments far from them.
    """
    epsilon = _EPSILON if subject.wide else float(np.finfo(np.float32).eps)
    moved = movement(subject.reference_pull, args, dz, expected, epsilon)
    zeros = cancelled(subject, args, dz, expected)
    bases = [0.0] * len(moved) if base is None else base
    return [
        _CONDITIONING * m + _ROUNDINGS * epsilon * (z + b)
        for m, z, b in zip(moved, zeros, bases, strict=True)
    ]


def cancelled(subject: Subject, args: Any, dz: Any, expected: Any) -> list[float]:
    """For each leaf that is a rounding error of 0, the size of what cancelled; 0 for others."""
    z, cotangents = expected
    size_z, size_dz = largest(z), largest(dz)
    scales: list[float] = []
    for leaf in jax.tree.leaves(z):
        inputs = max((largest(args[i]) for i in subject.reals), default=1.0)
        scales.append(inputs if typical_size(leaf) < _CANCELLATION * min(inputs, 1.0) else 0.0)
    for i, leaf in zip(subject.reals, cotangents, strict=True):
        small = size_z <= _CANCELLATION * size_dz or not largest(args[i])
        natural = size_dz * (1.0 if small else size_z / largest(args[i]))
        nearest = 1.0 if small else largest(args[i]) / smallest(args[i])
        is_zero = typical_size(leaf) < _CANCELLATION * natural
        scales.append(natural * nearest if is_zero else 0.0)
    return scales


def typical_size(leaf: Any) -> float:
    """The root mean square of the finite entries."""
    leaf = np.abs(np.asarray(leaf)).astype(np.float64)
    finite = leaf[np.isfinite(leaf)]
    if not finite.size:
        return 0.0
    top = finite.max()
    return float(top * np.sqrt(np.mean((finite / top) ** 2))) if top > 0 else 0.0


def largest(tree: Any) -> float:
    """The largest finite magnitude in a pytree; 0 if it is empty."""
    sizes = (np.abs(np.asarray(leaf)).astype(np.float64) for leaf in jax.tree.leaves(tree))
    return max((float(s[np.isfinite(s)].max(initial=0.0)) for s in sizes), default=0.0)


def smallest(array: Any) -> float:
    """The smallest magnitude that is not 0; 1 if there is none."""
    sizes = np.abs(np.asarray(array)).astype(np.float64)
    return float(sizes[sizes > 0].min(initial=np.inf)) if (sizes > 0).any() else 1.0


def share_finite(tree: Any) -> float:
    """The share of finite entries in a pytree."""
    leaves = [np.isfinite(np.asarray(leaf)) for leaf in jax.tree.leaves(tree)]
    total = sum(leaf.size for leaf in leaves)
    return sum(int(leaf.sum()) for leaf in leaves) / total if total else 1.0


def _leaf_pairs(names: Sequence[str], actual: Any, expected: Any) -> Iterator[tuple[str, Any, Any]]:
    for part, actual_part, expected_part in zip(names, actual, expected, strict=True):
        if expected_part is None:
            continue
        actual_leaves = list(named_leaves(part, actual_part))
        expected_leaves = jax.tree.leaves(expected_part)
        if len(actual_leaves) != len(expected_leaves):
            yield part, None, None
            continue
        for (path, a), b in zip(actual_leaves, expected_leaves, strict=True):
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


def _spread(moved: np.ndarray) -> np.ndarray:
    """An entry that happened not to move may move like its neighbours."""
    moved = np.minimum(moved, _FAR)
    return moved + typical_size(moved)
