"""Checks the functions of the chapter "training" against the package's own, on random arguments."""

import copy
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from ffnn_jax.course import _training

_DRAWS = 20
_IMAGES, _BATCH, _BATCHES = 20, 5, 200
_ARGUMENTS: dict[str, Callable[[np.random.Generator], tuple[Any, ...]]] = {
    "momentum_update": lambda g: (
        *g.normal(size=(3, 2)).round(1),
        *g.uniform(0.1, 0.9, 3).round(1).tolist(),
    ),
    "mean_recall": lambda g: (g.integers(1, 9, (3, 3)) * [[1], [g.integers(2)], [1]],),
    "count_parameters": lambda g: (
        {"conv_1": {"w": np.zeros(g.integers(1, 5, 4)), "b": np.zeros(4)}, "scale": np.zeros(())},
    ),
    "digit_of_class": lambda g: (int(g.integers(1, 11)),),
    "start_deviation": lambda g: (tuple(g.integers(2, 6, g.choice([2, 4])).tolist()),),
}


def problem_of(name: str, function: Callable[..., Any]) -> str:
    """What is wrong with a function of the chapter, in one line; "" for nothing."""
    if name == "draw_batch":
        return _problem_of_batches(function)
    for seed in range(_DRAWS):
        arguments = _ARGUMENTS[name](np.random.default_rng(seed))
        expected = getattr(_training, name)(*arguments)
        given = copy.deepcopy(arguments)
        got = function(*given)
        if not equal_trees(got, expected):
            return f"{name}{arguments} is {got}, expected {expected}"
        if not equal_trees(given, arguments):
            return f"{name} changes what is passed in"
    return ""


def _problem_of_batches(draw_batch: Callable[..., Any]) -> str:
    """Batches are random: what every one must be, and what holds for many."""
    generator = np.random.default_rng(0)
    batches = [np.asarray(draw_batch(generator, _IMAGES, _BATCH)) for _ in range(_BATCHES)]
    again = np.asarray(draw_batch(np.random.default_rng(0), _IMAGES, _BATCH))
    drawn = set(np.concatenate([batch.ravel() for batch in batches]).tolist())
    never = {*range(_IMAGES)} - drawn
    complaints = {
        f"a batch is not {_BATCH} integers": any(
            batch.shape != (_BATCH,) or batch.dtype.kind not in "iu" for batch in batches
        ),
        "every batch is the same: is the generator used?": all(
            np.array_equal(batch, batches[0]) for batch in batches
        ),
        "an index is in a batch twice: draw without repetition": any(
            len({*batch.tolist()}) < batch.size for batch in batches
        ),
        "indices are counted from 1, not from 0": drawn == {*range(1, _IMAGES + 1)},
        "an index is not that of an image": not drawn <= {*range(_IMAGES)},
        "a batch consists of neighbours, not of images drawn one by one": all(
            np.all(np.diff(batch) % _IMAGES == 1) for batch in batches
        ),
        f"some images are never drawn, such as number {min(never, default=0)}": bool(never),
        "the same generator gives another batch": not np.array_equal(again, batches[0]),
    }
    return next((f"draw_batch: {text}" for text, holds in complaints.items() if holds), "")


def equal_trees(got: Any, expected: Any) -> bool:
    """Whether both hold arrays of the same shapes and, but for rounding, the same numbers."""
    ours, theirs = jax.tree.leaves(got), jax.tree.leaves(expected)
    return len(ours) == len(theirs) and all(
        np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-5, equal_nan=True)
        for a, b in zip(ours, theirs, strict=True)
    )
