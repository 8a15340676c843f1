"""Elementwise comparison, and its tolerance."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from ffnn_jax.verify._result import Check

_TOLERANCE = 1e-9


def allowed_error(arrays: Sequence[np.ndarray]) -> float:
    """1e-9 times the square root of the longest possible sum over one of these arrays.

    The rounding error of a sum of n terms grows like a random walk.
    """
    longest = max((array.size for array in arrays), default=1)
    return _TOLERANCE * math.sqrt(max(longest, 1))


def named_leaves(name: str, tree: Any) -> Iterator[tuple[str, Any]]:
    """The arrays of a pytree, each with its name and path in the tree."""
    for keys, leaf in jax.tree_util.tree_leaves_with_path(tree):
        yield f"{name}{jax.tree_util.keystr(keys)}", leaf


def compare(
    name: str, names: Sequence[str], actual: Any, expected: Any, allowed: float, sizes: str = ""
) -> Check:
    """Compares pytrees element by element: |actual - expected| <= allowed (1 + |expected|).

    Args:
        name: the name of the check.
        names: names of the top-level parts, to locate the worst error.
        actual: a tuple of pytrees.
        expected: the same for the expected values; NaN equals only NaN, and a part that is None
            is not compared.
        allowed: the largest relative error that passes; 0 requires equality.
        sizes: the sizes of the arguments, as text.
    """
    worst, where = 0.0, ""
    for part, actual_part, expected_part in zip(names, actual, expected, strict=True):
        if expected_part is None:
            continue
        actual_leaves = list(named_leaves(part, actual_part))
        expected_leaves = jax.tree.leaves(expected_part)
        if len(actual_leaves) != len(expected_leaves):
            return Check(name, False, math.inf, allowed, part, "different structure")
        for (path, a), b in zip(actual_leaves, expected_leaves, strict=True):
            a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
            if a.shape != b.shape:
                note = f"shape {a.shape}, not {b.shape}"
                return Check(name, False, math.inf, allowed, path, note)
            error, index = _largest(a, b)
            if error > worst or not where:
                worst, where = error, f"{path}{list(index) if index else ''}{sizes}"
    return Check(name, worst <= allowed, worst, allowed, where)


def _largest(a: np.ndarray, b: np.ndarray) -> tuple[float, tuple[int, ...]]:
    if not a.size:
        return 0.0, ()
    with np.errstate(invalid="ignore"):
        error = np.abs(a - b) / (1 + np.abs(b))
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    error = np.where(same, 0.0, np.where(np.isnan(error), math.inf, error))
    index = np.unravel_index(int(np.argmax(error)), error.shape)
    return float(error[index]), tuple(map(int, index))
