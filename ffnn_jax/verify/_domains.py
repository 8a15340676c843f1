"""The sets that arguments are drawn from: one function each, (generator, shape, scale) -> array.

``scale`` is an array that broadcasts to the shape; it moves a draw towards the ends of its domain:
factors from 1e-6 to 1e4 for unbounded numbers, distances from the nearer end for an interval.
"""

import functools
import re
from collections.abc import Callable
from typing import Any

import numpy as np

Random = np.random.Generator
Shape = tuple[int, ...]
Draw = Callable[[Random, Shape, Any], np.ndarray]
_MINIMUM = 0.5  # of positive numbers, so that no difference quotient leaves the domain
_GAP = 0.1  # between sorted numbers
_INTERVAL = re.compile(r"\(([-+.\w]+),([-+.\w]+)\)")


def normal(generator: Random, shape: Shape, dtype: Any) -> np.ndarray:
    """Standard normal numbers, complex if the dtype is."""
    drawn = generator.normal(size=shape)
    is_complex = np.issubdtype(dtype, np.complexfloating)
    return drawn + 1j * generator.normal(size=shape) if is_complex else drawn


def _spd(generator: Random, shape: Shape, scale: Any) -> np.ndarray:
    factor = generator.normal(size=shape)
    gram = factor @ np.swapaxes(factor, -1, -2) / max(shape[-1], 1)
    return (gram + _MINIMUM * np.eye(shape[-1])) * np.max(scale)


def _simplex(generator: Random, shape: Shape, scale: Any) -> np.ndarray:
    logits = generator.normal(size=shape) * np.clip(np.max(scale), 0.1, 10)
    weights = np.exp(logits - logits.max(-1, keepdims=True, initial=-np.inf))
    return weights / weights.sum(-1, keepdims=True)


def _sorted(generator: Random, shape: Shape, scale: Any) -> np.ndarray:
    steps = _GAP + np.abs(generator.normal(size=shape))
    return (np.cumsum(steps, -1) - steps.sum(-1, keepdims=True) / 2) * np.max(scale)


def _interval(low: float, high: float, generator: Random, shape: Shape, scale: Any) -> np.ndarray:
    """Numbers between the bounds; a scale below 1 draws close to either of them."""
    distance = generator.uniform(0.05, 0.95, shape) * np.minimum(scale, 1.0) * (high - low)
    return np.where(generator.random(shape) < 0.5, high - distance, low + distance)


_DOMAINS: dict[str, Draw] = {
    "": lambda generator, shape, scale: normal(generator, shape, float) * scale,
    ">0": lambda generator, shape, scale: (_MINIMUM + generator.normal(size=shape) ** 2) * scale,
    "complex": lambda generator, shape, scale: normal(generator, shape, complex) * scale,
    "spd": _spd,
    "perm": lambda generator, shape, _: np.argsort(generator.random(shape), -1).astype(np.int32),
    "simplex": _simplex,
    "sorted": _sorted,
    "bool": lambda generator, shape, _: generator.random(shape) < 0.5,
    "key": lambda generator, shape, _: generator.integers(0, 2**32, (*shape, 2), np.uint32),
}
WORDS = (*filter(None, _DOMAINS), "(0,1)", "int<10")
WITHOUT_COTANGENT = ("perm", "bool", "key")


def bounds_of(word: str) -> tuple[float, float] | None:
    """The bounds of an interval such as "(0,1)"; None for another word."""
    bounds = _INTERVAL.fullmatch(word)
    try:
        low, high = map(float, bounds.groups() if bounds else ())
    except ValueError:
        return None
    return (low, high) if np.isfinite([low, high]).all() and low < high else None


def find_domain(word: str) -> Draw | None:
    """The function that draws from the domain, or None for an unknown word."""
    bounds = bounds_of(word)
    return functools.partial(_interval, *bounds) if bounds else _DOMAINS.get(word)
