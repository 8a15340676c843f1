"""Text descriptions of arguments, sizes for their axis names, and random values.

"NxDxK" describes real numbers with three axes, each a number, or a name that stands for the same
size everywhere. After a colon may follow what they are: "N:int<K" integers from 0 to K - 1, "C:>0"
positive numbers, "N:(0,1)" an interval, "NxN:spd" symmetric positive definite matrices, "N:perm"
permutations, "N:simplex" probabilities, "N:sorted", "N:bool", "N:complex"; "key" is a random key.
"""

import dataclasses
import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ffnn_jax.verify._domains import WITHOUT_COTANGENT, WORDS, find_domain

Sizes = Mapping[str, int]
_AXIS = re.compile(r"[A-Z][A-WYZa-wyz0-9_]*|\d+")
_INTEGERS = re.compile(f"int<({_AXIS.pattern})")
_SCALARS = ("key", "bool", "complex")
_SMALL = (3, 4, 5, 2, 7, 6)


@dataclasses.dataclass(frozen=True)
class Argument:
    """One argument: its axes, as names or numbers, and its domain, as written after the colon."""

    axes: tuple[str, ...]
    domain: str = ""

    @classmethod
    def parse(cls, text: str) -> "Argument":
        """Parses "NxD", "N:int<K", "N:>0" and the like; "" is a scalar.

        Raises:
            ValueError: the text has a different form.
        """
        shape, _, domain = (f":{text}" if text in _SCALARS else text).partition(":")
        axes = tuple(shape.split("x")) if shape else ()
        if not all(map(_AXIS.fullmatch, axes)):
            form = 'axes such as "NxD" or "4x7", with capitalised names and a small x between them'
            raise ValueError(f"an argument must have {form}, got {text!r}")
        integers = _INTEGERS.fullmatch(domain)
        if not integers and find_domain(domain) is None:
            end = f"(known: {', '.join(WORDS)}, with any bounds){hint(domain, WORDS)}"
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

    def shape(self, sizes: Sizes) -> tuple[int, ...]:
        """The shape, given the sizes of the axis names."""
        return tuple(size_of(axis, sizes) for axis in self.axes)

    def draw(self, generator: np.random.Generator, sizes: Sizes, scale: Any = 1.0) -> np.ndarray:
        """Random values in float64, complex128, integers or bits, such as a key's two words."""
        shape, domain = self.shape(sizes), find_domain(self.domain)
        if self.below is not None:
            return generator.integers(0, size_of(self.below, sizes), shape, np.int32)
        assert domain is not None, f"{self.domain!r} was not parsed"
        return domain(generator, shape, scale)

    def draw_integers(self, generator: np.random.Generator, sizes: Sizes) -> np.ndarray:
        """Random integers from -3 (or 1) to 3, as float64: their sums do not round."""
        if self.domain not in ("", ">0"):
            return self.draw(generator, sizes)
        return generator.integers(1 if self.domain else -3, 4, self.shape(sizes)).astype(float)


def hint(word: str, known: Sequence[str]) -> str:
    """The known word that was probably meant, as the end of a message; or ""."""
    near = difflib.get_close_matches(word, known, 1)
    return f"; did you mean {near[0]!r}?" if near else ""


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
    """Sizes for the axis names: small and different, a batch of one, then others; {} if none."""
    names, generator = names_in(arguments), np.random.default_rng(seed)
    small = [_SMALL[i % len(_SMALL)] + 6 * (i // len(_SMALL)) for i in range(len(names))]
    yield dict(zip(names, small, strict=True))
    for i in range(1, count if names else 1):
        sampled = generator.permutation(np.arange(1, 2 * len(names) + 6))
        sizes = dict(zip(names, map(int, sampled), strict=False))
        yield sizes | ({batch: 1} if batch and i == 1 else {})
