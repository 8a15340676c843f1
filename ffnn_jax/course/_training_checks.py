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
        if not _equal(got, expected):
            return f"{name}{arguments} is {got}, expected {expected}"
        if not _equal(given, arguments):
            return f"{name} changes what is passed in"
    return ""


def _problem_of_batches(draw_batch: Callable[..., Any]) -> str:
    """Batches are random: what every one must be, and what holds for many."""
    generator = np.random.default_rng(0)
    batches = [np.asarray(draw_batch(generator, _IMAGES, _BATCH)) for _ in range(_BATCHES)]
    again = np.asarray(draw_batch(np.random.default_rng(0), _IMAGES, _BATCH))
    every = np.concatenate([batch.ravel() for batch in batches])
    complaints = {
        f"a batch is not {_BATCH} integers": any(
            batch.shape != (_BATCH,) or batch.dtype.kind not in "iu" for batch in batches
        ),
        "an index is not that of an image": not set(every.tolist()) <= set(range(_IMAGES)),
        "an index is in a batch twice": any(len(set(b.tolist())) < b.size for b in batches),
        "some images are never drawn": len(set(every.tolist())) < _IMAGES,
        "the same generator gives another batch": not np.array_equal(again, batches[0]),
    }
    return next((f"draw_batch: {text}" for text, holds in complaints.items() if holds), "")


def _equal(got: Any, expected: Any) -> bool:
    ours, theirs = jax.tree.leaves(got), jax.tree.leaves(expected)
    return len(ours) == len(theirs) and all(
        np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-6)
        for a, b in zip(ours, theirs, strict=True)
    )
