"""The sets that arguments are drawn from: one function each, (generator, shape, scale) -> array.

``scale`` is an array that broadcasts to the shape; it moves a draw towards the ends of its domain:
factors from 1e-6 to 1e4 for unbounded numbers, distances from the nearer end for an interval.
"""

import re
from collections.abc import Callable
from typing import Any

import numpy as np

Draw = Callable[[np.random.Generator, tuple[int, ...], Any], np.ndarray]
_MINIMUM = 0.5  # of positive numbers, so that no difference quotient leaves the domain
_GAP = 0.1  # between sorted numbers
_INTERVAL = re.compile(r"\(([-+.\w]+),([-+.\w]+)\)")


def real(generator: np.random.Generator, shape: tuple[int, ...], scale: Any) -> np.ndarray:
    """Standard normal numbers."""
    return generator.normal(size=shape) * scale


def _positive(generator: np.random.Generator, shape: tuple[int, ...], scale: Any) -> np.ndarray:
    return (_MINIMUM + generator.normal(size=shape) ** 2) * scale


def _complex(generator: np.random.Generator, shape: tuple[int, ...], scale: Any) -> np.ndarray:
    return (generator.normal(size=shape) + 1j * generator.normal(size=shape)) * scale


def _spd(generator: np.random.Generator, shape: tuple[int, ...], scale: Any) -> np.ndarray:
    factor = generator.normal(size=shape)
    gram = factor @ np.swapaxes(factor, -1, -2) / max(shape[-1], 1)
    return (gram + _MINIMUM * np.eye(shape[-1])) * _single(scale)


def _permutation(generator: np.random.Generator, shape: tuple[int, ...], scale: Any) -> np.ndarray:
    return np.argsort(generator.random(shape), axis=-1).astype(np.int32)


def _simplex(generator: np.random.Generator, shape: tuple[int, ...], scale: Any) -> np.ndarray:
    logits = generator.normal(size=shape) * np.clip(_single(scale), 0.1, 10)
    weights = np.exp(logits - logits.max(-1, keepdims=True, initial=-np.inf))
    return weights / weights.sum(-1, keepdims=True)


def _sorted(generator: np.random.Generator, shape: tuple[int, ...], scale: Any) -> np.ndarray:
    steps = _GAP + np.abs(generator.normal(size=shape))
    return (np.cumsum(steps, -1) - steps.sum(-1, keepdims=True) / 2) * _single(scale)


def _boolean(generator: np.random.Generator, shape: tuple[int, ...], scale: Any) -> np.ndarray:
    return generator.random(shape) < 0.5


def _key(generator: np.random.Generator, shape: tuple[int, ...], scale: Any) -> np.ndarray:
    return generator.integers(0, 2**32, (*shape, 2), np.uint32)


def _interval(low: float, high: float) -> Draw:
    """Numbers between the bounds; a scale below 1 draws close to either of them."""

    def draw(generator: np.random.Generator, shape: tuple[int, ...], scale: Any) -> np.ndarray:
        distance = generator.uniform(0.05, 0.95, shape) * np.minimum(scale, 1.0)
        from_high = generator.random(shape) < 0.5
        return np.where(from_high, high - distance * (high - low), low + distance * (high - low))

    return draw


def _single(scale: Any) -> float:
    """One factor for a whole array, whose entries belong together."""
    return float(np.max(scale))


_DOMAINS: dict[str, Draw] = {
    "": real, ">0": _positive, "complex": _complex, "spd": _spd, "perm": _permutation,
    "simplex": _simplex, "sorted": _sorted, "bool": _boolean, "key": _key,
}  # fmt: skip
WORDS = (*filter(None, _DOMAINS), "(0,1)", "int<10")
WITHOUT_COTANGENT = ("perm", "bool", "key")


def find_domain(word: str) -> Draw | None:
    """The function that draws from the domain, or None for an unknown word."""
    bounds = _INTERVAL.fullmatch(word)
    if not bounds:
        return _DOMAINS.get(word)
    try:
        low, high = float(bounds[1]), float(bounds[2])
    except ValueError:
        return None
    return _interval(low, high) if np.isfinite([low, high]).all() and low < high else None
