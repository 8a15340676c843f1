"""Which known mistake a function of the chapter "training" makes.

A wrong function is told by what it returns for random arguments.
"""

import contextlib
import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from ffnn_jax.catalogue.diagnosis import NOTHING, Diagnosis
from ffnn_jax.course._training_checks import equal_trees, problem_of

Function = Callable[..., Any]
_DISPLAYED = 0.995  # of the average that smooths the loss on display
_TYPED = "it is the same for all arguments: was it typed by hand?"
_rng = np.random.default_rng
_DRAWS = 6


def diagnose_function(name: str, function: Function) -> Diagnosis:
    """The mistake that a wrong function of the chapter makes.

    Args:
        name: which function it is meant to be.
        function: the function, with the arguments of the chapter's.

    Raises:
        KeyError: the chapter has no function of that name.
    """
    with np.errstate(all="ignore"), contextlib.suppress(ArithmeticError, TypeError, ValueError):
        if name == "draw_batch":
            found = [*filter(None, [problem_of(name, function)])]
        else:
            given = [_ARGUMENTS[name](seed) for seed in range(_DRAWS)]
            returned = [function(*arguments) for arguments in given]
            found = [
                text for text, wrong in _WRONG[name].items()
                if equal_trees(returned, [wrong(*arguments) for arguments in given])
            ]  # fmt: skip
            found += [_TYPED] if equal_trees(returned, returned[:1] * _DRAWS) else []
        return Diagnosis((found or [NOTHING])[:1], bool(found))
    return Diagnosis((NOTHING,))


def _step(
    v: Any, w: Any, g: Any, rate: float, momentum: float, decay: float, *,
    share: float | None = None, inside: float = 0.0, old: bool = False,
) -> Any:  # fmt: skip
    """The update, but for the gradient's share, a decay inside the average, or the old v."""
    share = 1 - momentum if share is None else share
    new = momentum * v + share * (g + inside * w)
    return new, w - rate * ((v if old else new) + decay * w)


def _recall(confusion: Any, axis: int = 1, empty: bool = False) -> Any:
    counts = np.asarray(confusion)
    images = counts.sum(axis)
    shares = np.diag(counts) / np.maximum(images, 1)
    return np.mean(shares if empty else shares[images > 0])


def _sum_over(count: Callable[[tuple[int, ...]], int]) -> Function:
    return lambda params: sum(count(np.shape(array)) for array in jax.tree.leaves(params))


_WRONG: dict[str, dict[str, Function]] = {
    "momentum_update": {
        "the momentum is 0.995, that of the average on display, and not the one that is given": (
            lambda v, w, g, rate, mu, decay: _step(v, w, g, rate, _DISPLAYED, decay)
        ),
        "weight decay is inside the average": (
            lambda v, w, g, rate, mu, decay: _step(v, w, g, rate, mu, 0.0, inside=decay)
        ),
        "weight decay is inside the average and outside it": (
            lambda v, w, g, rate, mu, decay: _step(v, w, g, rate, mu, decay, inside=decay)
        ),
        "weight decay was left out": lambda v, w, g, a, mu, decay: _step(v, w, g, a, mu, 0.0),
        "weight decay has the wrong sign": (
            lambda v, w, g, rate, mu, decay: _step(v, w, g, rate, mu, -decay)
        ),
        "weight decay is not multiplied by the learning rate": (
            lambda v, w, g, rate, mu, decay: _step(v, w, g, rate, mu, decay / rate)
        ),
        "the gradient is added to the velocity whole, not its share of the average": (
            lambda *given: _step(*given, share=1.0)
        ),
        "momentum and 1 - momentum are exchanged": (
            lambda v, w, g, rate, mu, decay: _step(v, w, g, rate, 1 - mu, decay)
        ),
        "the step uses the velocity from before the update": lambda *given: _step(*given, old=True),
        "the step goes up the gradient": (
            lambda v, w, g, rate, mu, decay: _step(v, w, g, -rate, mu, decay)
        ),
        "velocity and parameters are returned in the wrong order": lambda *given: _step(*given)[
            ::-1
        ],
    },
    "mean_recall": {
        "the axes are exchanged: that is the mean precision": lambda c: _recall(c, axis=0),
        "classes with more images count more: that is the accuracy": (
            lambda c: np.trace(np.asarray(c)) / np.sum(c)
        ),
        "classes without images count as if their recall were 0": lambda c: _recall(c, empty=True),
        "a class without images makes it NaN": lambda c: np.mean(np.diag(c) / np.sum(c, axis=1)),
        "it is in percent": lambda c: 100 * _recall(c),
        "it is the sum, not the mean": lambda c: _recall(c) * np.sum(np.sum(c, axis=1) > 0),
    },
    "count_parameters": {
        "the biases are forgotten": _sum_over(lambda s: math.prod(s) if len(s) > 1 else 0),
        "a bias counts once in a layer, not once for each output": (
            _sum_over(lambda s: math.prod(s) if len(s) > 1 else 1)
        ),
        "arrays are counted, not their entries": _sum_over(lambda s: 1),
        "the lengths of the axes are added, not multiplied": _sum_over(sum),
        "only the first axis counts": _sum_over(lambda s: s[0] if s else 1),
    },
    "digit_of_class": {
        "digit 0 is shown as class 10": lambda index: index,
        "classes are counted from 0, not from 1": lambda index: index - 1,
        "classes are moved the wrong way": lambda index: (index + 1) % 10,
    },
    "start_deviation": {
        "the fan-in is that of three channels, whatever the kernel has": (
            lambda shape: math.sqrt(2 / (math.prod(shape[:-2]) * 3))
        ),
        "the fan-in leaves the channels out": lambda shape: math.sqrt(2 / math.prod(shape[:-2])),
        "it is the fan-out, not the fan-in": (
            lambda shape: math.sqrt(2 / (math.prod(shape[:-2]) * shape[-1]))
        ),
        "it is the variance, not its root": lambda shape: 2 / math.prod(shape[:-1]),
        "the factor 2 for ReLU was left out": lambda shape: math.sqrt(1 / math.prod(shape[:-1])),
    },
}
_ARGUMENTS: dict[str, Callable[[int], tuple[Any, ...]]] = {
    "momentum_update": lambda n: (*_rng(n).normal(size=(3, 4)), *_rng(n).uniform(0.1, 0.4, 3)),
    "mean_recall": lambda n: (_rng(n).integers(1, 9, (4, 4)) * [[1], [0], [1], [1]],),
    "count_parameters": lambda n: (
        {"conv": {"w": np.zeros(_rng(n).integers(2, 6, 4)), "b": np.zeros(4 + n)}},
    ),
    "digit_of_class": lambda n: (10 - n,),
    "start_deviation": lambda n: (tuple(map(int, _rng(n).integers(4, 8, 4))),),
}
