"""Text descriptions of arguments, as ``check_vjp`` lists them; sizes of their axes; random values.

One function of (generator, shape, scale) draws from each domain. ``scale`` broadcasts to the shape
and moves a draw towards the ends of the domain: factors from 1e-6 to 1e4 for unbounded numbers,
distances from the nearer end for an interval.
"""

import dataclasses
import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ffnn_jax._errors import suggestion

Sizes = Mapping[str, int]
Random = np.random.Generator
Shape = tuple[int, ...]
Draw = Callable[[Random, Shape, Any], np.ndarray]
_AXIS = re.compile(r"[A-Z][A-WYZa-wyz0-9_]*|\d+")
_INTEGERS = re.compile(f"int<({_AXIS.pattern})")
_SCALARS = ("key", "bool", "complex")
_INTERVAL = re.compile(r"\(([-+.\w]+),([-+.\w]+)\)")
_SMALL = (3, 4, 5, 2, 7, 6)
_LARGE, _WITHOUT_LARGE = 40, 4  # more than a block of 32, in draws beyond the usual ones
_MINIMUM = 0.5  # of positive numbers, so that no difference quotient leaves the domain
_GAP = 0.1  # between sorted numbers


@dataclasses.dataclass(frozen=True)
class Argument:
    """One argument: its axes, as names or numbers, and its domain, as written after the colon."""

    axes: tuple[str, ...]
    domain: str = ""

    @classmethod
    def parse(cls, text: str) -> "Argument":
        """Parses "NxD", "N:int<K", "N:>0" and the like; "" is a scalar."""
        shape, _, domain = (f":{text}" if text in _SCALARS else text).partition(":")
        axes = tuple(shape.split("x")) if shape else ()
        if not all(map(_AXIS.fullmatch, axes)):
            form = 'axes such as "NxD" or "4x7", with capitalised names and a small x between them'
            raise ValueError(f"an argument must have {form}, got {text!r}")
        integers = _INTEGERS.fullmatch(domain)
        if not integers and find_domain(domain) is None:
            end = f"(known: {', '.join(WORDS)}, with any finite bounds){suggestion(domain, WORDS)}"
            raise ValueError(f"unknown domain {domain!r} in {text!r} {end}")
        if integers and int(integers[1] if integers[1].isdecimal() else 1) < 1:
            raise ValueError(f"the upper bound of integers must be at least 1, got {text!r}")
        if domain == "spd" and (len(axes) < 2 or axes[-1] != axes[-2]):
            raise ValueError(f'a matrix "spd" must be square, as in "NxN:spd", got {text!r}')
        if domain in ("perm", "simplex", "sorted") and not axes:
            raise ValueError(f"{domain!r} needs an axis, as in {'N:' + domain!r}, got {text!r}")
        return cls(axes, domain)

    def __str__(self) -> str:
        """The text that parses to this argument."""
        return "x".join(self.axes) + (f":{self.domain}" if self.domain else "")

    @property
    def below(self) -> str | None:
        """The exclusive upper bound of integers, a name or number; None for other numbers."""
        return integers[1] if (integers := _INTEGERS.fullmatch(self.domain)) else None

    @property
    def is_real(self) -> bool:
        """Whether the argument has a cotangent."""
        return self.below is None and self.domain not in WITHOUT_COTANGENT

    def shape(self, sizes: Sizes) -> Shape:
        """The shape, given the sizes of the axis names."""
        return tuple(size_of(axis, sizes) for axis in self.axes)

    def draw(self, generator: Random, sizes: Sizes, scale: Any = 1.0) -> np.ndarray:
        """Random values in float64, complex128, integers or bits, such as a key's two words."""
        shape, domain = self.shape(sizes), find_domain(self.domain)
        if self.below is not None:
            return generator.integers(0, size_of(self.below, sizes), shape, np.int32)
        assert domain is not None, f"{self.domain!r} was not parsed"
        return domain(generator, shape, scale)

    def draw_integers(self, generator: Random, sizes: Sizes) -> np.ndarray:
        """Random integers from -3 (or 1) to 3, as float64: their sums do not round."""
        if self.domain not in ("", ">0"):
            return self.draw(generator, sizes)
        return generator.integers(1 if self.domain else -3, 4, self.shape(sizes)).astype(float)


def size_of(axis: str, sizes: Sizes) -> int:
    """The size of an axis: that of its name, or the number itself."""
    return int(axis) if axis.isdecimal() else sizes[axis]


def at_sizes(sizes: Sizes) -> str:
    """The sizes as text, to append to a location."""
    return f" at {' '.join(f'{name}={size}' for name, size in sizes.items())}" if sizes else ""


def names_in(arguments: Sequence[Argument]) -> tuple[str, ...]:
    """The axis names, in order of first occurrence."""
    names = [name for argument in arguments for name in (*argument.axes, argument.below or "0")]
    return tuple(dict.fromkeys(name for name in names if not name.isdecimal()))


def sample_sizes(
    arguments: Sequence[Argument], batch: str | None, seed: int, count: int
) -> Iterator[dict[str, int]]:
    """Sizes for the axis names: small and different, a batch of one, all equal, then others."""
    names, generator = names_in(arguments), np.random.default_rng(seed)
    small = [_SMALL[i % len(_SMALL)] + 6 * (i // len(_SMALL)) for i in range(len(names))]
    yield dict(zip(names, small, strict=True))
    for i in range(1, count if names else 1):
        sampled = generator.permutation(np.arange(1, 2 * len(names) + 6))
        sizes = dict(zip(names, map(int, sampled), strict=False))
        one_batch = {batch: 1} if batch and i == 1 else {}
        equal = dict.fromkeys(names, max(int(sampled[0]), 2)) if i == 2 else {}
        large = {names[i % len(names)]: _LARGE} if i >= _WITHOUT_LARGE else {}
        yield sizes | one_batch | equal | large


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
