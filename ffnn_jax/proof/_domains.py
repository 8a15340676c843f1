"""Which numbers the arguments of a proof stand for: an interval, or every value of an integer."""

import dataclasses
import itertools
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ffnn_jax.verify import Argument, Sizes, Subject

MOST_CASES = 1000
_INTERVAL = re.compile(r"\(([-+.\w]+),([-+.\w]+)\)")


@dataclasses.dataclass(frozen=True)
class Domain:
    """An open interval of numbers, and what it says of a domain that is no interval.

    Of a simplex, the numbers that are drawn are positive, and so many in a row sum to 1.
    """

    low: Fraction | None = None
    high: Fraction | None = None
    outside: str = ""
    simplex: int = 0

    def holds(self, number: float) -> bool:
        """Whether a number is known to be inside."""
        return self._between(number) and not self.outside

    def draw(self, generator: random.Random) -> Fraction:
        """A random number between the bounds, near 0 if they allow it."""
        number, step = Fraction(generator.randint(-9, 9), 4), generator.randint(1, 19)
        if self._between(number):
            return number
        if self.low is not None and self.high is not None:
            return self.low + (self.high - self.low) * step / 20
        return self.low + Fraction(step, 4) if self.low is not None else -Fraction(step, 4)

    def draw_all(self, generator: random.Random, count: int) -> list[Fraction]:
        """Random numbers of a whole argument."""
        if not self.simplex:
            return [self.draw(generator) for _ in range(count)]
        parts = [generator.randint(1, 9) for _ in range(count)]
        starts = (i // self.simplex * self.simplex for i in range(count))
        return [
            Fraction(part, sum(parts[start : start + self.simplex]))
            for part, start in zip(parts, starts, strict=True)
        ]

    def _between(self, number: float | Fraction) -> bool:
        above = self.low is None or number > self.low
        return above and (self.high is None or number < self.high)

    def facts(self, symbol: int) -> Iterator[Any]:
        """That the symbol is inside."""
        if self.low is not None:
            yield {symbol: Fraction(1), None: -self.low}, 1
        if self.high is not None:
            yield {symbol: Fraction(-1), None: self.high}, 1


def domain_of(subject: Subject, position: int, like: Any, within: float | None) -> Domain:
    """The domain of a real argument of this shape, inside the bound on all of them."""
    word = subject.words[position]
    domain = word.domain if word is not None else ""
    low, high = (None, None) if within is None else (-Fraction(within), Fraction(within))
    if domain == ">0":
        return Domain(Fraction(0), high)
    if bounds := _INTERVAL.fullmatch(domain):
        first, last = map(Fraction, bounds.groups())
        return Domain(max(first, low or first), min(last, high or last))
    simplex = like.shape[-1] if domain == "simplex" else 0
    return Domain(low, high, f"{word} is not shown to matter" if domain else "", simplex)


def values_of(
    subject: Subject, sizes: Sizes, args: Sequence[Any], position: int
) -> list[Any] | str:
    """Every value of an argument without a cotangent; or why not all can be tried."""
    drawn, word, rule = args[position], subject.words[position], subject.rule
    if drawn.size == 0:
        return "an empty array"
    if position in subject.reals:
        return [drawn] if drawn.dtype.kind == "f" else "complex numbers"
    if word is None:
        return (
            [drawn] if rule.draw is None else f"{subject.names[position]} from draw= is one value"
        )
    if word.domain == "perm":
        return _arrays_of(itertools.permutations(range(drawn.shape[-1])), drawn)
    if word.below is None and word.domain != "bool":
        return f"{subject.names[position]} is a random key, of which not all can be tried"
    (below,) = Argument((word.below or "2",)).shape(sizes)
    if below**drawn.size > MOST_CASES:
        return f"more than {MOST_CASES} values of {subject.names[position]}"
    return _arrays_of(itertools.product(range(below), repeat=drawn.size), drawn)


def _arrays_of(rows: Iterable[Sequence[int]], like: np.ndarray) -> list[np.ndarray]:
    return [np.array(numbers, like.dtype).reshape(like.shape) for numbers in rows]
