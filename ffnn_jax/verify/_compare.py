"""Elementwise comparison, and what it allows."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from ffnn_jax.verify._result import Check

FLOAT64 = 1e-9


def allowed_for(arrays: Sequence[np.ndarray]) -> float:
    """1e-9 times the square root of the longest sum there can be over one of these arrays.

    Rounding errors of a sum of n terms grow as a random walk does.
    """
    longest = max((array.size for array in arrays), default=1)
    return FLOAT64 * math.sqrt(max(longest, 1))


def named_leaves(name: str, tree: Any) -> Iterator[tuple[str, Any]]:
    """The arrays of a pytree, each by name and its place in the tree."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        yield f"{name}{jax.tree_util.keystr(path)}", leaf


def compare(
    name: str, names: Sequence[str], actual: Any, expected: Any, allowed: float, sizes: str = ""
) -> Check:
    """Compares pytrees element by element: |actual - expected| <= allowed (1 + |expected|).

    Args:
        name: of the check.
        names: of the top-level parts, for the place of the worst error.
        actual: a tuple of pytrees.
        expected: the same, of the right values; a NaN is equal to a NaN alone, and a part that is
            None is not compared.
        allowed: the largest relative error that passes; 0 asks for equality.
        sizes: at which the values were met.
    """
    worst, where = 0.0, ""
    for part, ours, theirs in zip(names, actual, expected, strict=True):
        if theirs is None:
            continue
        leaves, expected_leaves = list(named_leaves(part, ours)), jax.tree.leaves(theirs)
        if len(leaves) != len(expected_leaves):
            return Check(name, False, math.inf, allowed, part, "another structure")
        for (place, a), b in zip(leaves, expected_leaves, strict=True):
            a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
            if a.shape != b.shape:
                note = f"shape {a.shape}, not {b.shape}"
                return Check(name, False, math.inf, allowed, place, note)
            error, index = _largest(a, b)
            if error > worst or not where:
                worst, where = error, f"{place}{list(index) if index else ''}{sizes}"
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
