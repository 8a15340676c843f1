"""Arguments described in words, sizes for their names, and random values for both.

An argument is written "NxDxK": real numbers in three axes, each a name or a number; or "N:int<K":
whole numbers from 0 to below K. A name stands for one size wherever it occurs.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

Sizes = Mapping[str, int]
_SPEC = re.compile(r"(?P<axes>[^:]*)(?::int<(?P<below>[A-Z]\w*|\d+))?")
_AXIS = re.compile(r"[A-Z][A-Za-wyz0-9_]*|\d+")
_SMALL = (3, 4, 5, 2, 7, 6)


@dataclasses.dataclass(frozen=True)
class Argument:
    """One argument of an operation.

    Attributes:
        axes: its axes, names or numbers.
        below: None for real numbers; else whole numbers from 0 to below this name or number.
    """

    axes: tuple[str, ...]
    below: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Argument":
        """Reads "NxD" or "N:int<K"; "" is a scalar.

        Raises:
            ValueError: the text is neither.
        """
        found = _SPEC.fullmatch(text)
        axes = tuple(found["axes"].split("x")) if found and found["axes"] else ()
        if found is None or not all(map(_AXIS.fullmatch, axes)):
            forms = '"4x7", "NxD" or "4:int<10", names with a capital'
            raise ValueError(f"an argument is written {forms}, got {text!r}")
        if found["below"] and int(found["below"] if found["below"].isdecimal() else 1) < 1:
            raise ValueError(f"whole numbers below {found['below']} there are none, in {text!r}")
        return cls(axes, found["below"])

    @property
    def is_real(self) -> bool:
        """Whether the argument has a cotangent."""
        return self.below is None

    def shape(self, sizes: Sizes) -> tuple[int, ...]:
        """The shape for these sizes of the names."""
        return tuple(size_of(axis, sizes) for axis in self.axes)

    def draw(self, generator: np.random.Generator, sizes: Sizes) -> np.ndarray:
        """Random values: real ones standard normal, in float64."""
        if self.below is None:
            return generator.normal(size=self.shape(sizes))
        below = size_of(self.below, sizes)
        return generator.integers(0, below, self.shape(sizes), np.int32)

    def draw_whole(self, generator: np.random.Generator, sizes: Sizes) -> np.ndarray:
        """Random whole numbers from -3 to 3, as real numbers: sums of them do not round."""
        if self.below is not None:
            return self.draw(generator, sizes)
        return generator.integers(-3, 4, self.shape(sizes)).astype(np.float64)


def size_of(axis: str, sizes: Sizes) -> int:
    """The size of an axis: of its name, or the number itself."""
    return int(axis) if axis.isdecimal() else sizes[axis]


def names_in(arguments: Sequence[Argument]) -> tuple[str, ...]:
    """The names of axes, in the order in which they occur."""
    words = [word for argument in arguments for word in (*argument.axes, argument.below or "0")]
    return tuple(dict.fromkeys(word for word in words if not word.isdecimal()))


def sample_sizes(
    arguments: Sequence[Argument], batch: str | None, seed: int, count: int
) -> Iterator[dict[str, int]]:
    """Sizes for the names: first small and all different, then a batch of one, then others.

    Args:
        arguments: whose names need sizes.
        batch: the name of the batch axis, if there is one.
        seed: decides the sizes.
        count: how many to give; one where there are no names.
    """
    names, generator = names_in(arguments), np.random.default_rng(seed)
    small = [_SMALL[i % len(_SMALL)] + 6 * (i // len(_SMALL)) for i in range(len(names))]
    yield dict(zip(names, small, strict=True))
    for turn in range(1, count if names else 1):
        drawn = generator.permutation(np.arange(1, 2 * len(names) + 6))[: len(names)]
        sizes = dict(zip(names, map(int, drawn), strict=True))
        yield sizes | ({batch: 1} if batch and turn == 1 else {})
