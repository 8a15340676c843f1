"""Arguments described in words, sizes for their names, and random values for both.

An argument is written "NxDxK": real numbers in three axes, each a name or a number; "N:int<K":
integers from 0 to below K; or "C:>0": real numbers above 0, such as variances, drawn from 0.5
on over an order of magnitude. A name stands for one size wherever it occurs.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

Sizes = Mapping[str, int]
_SPEC = re.compile(r"(?P<axes>[^:]*)(?::int<(?P<below>[A-Z]\w*|\d+)|(?P<positive>:>0))?")
_AXIS = re.compile(r"[A-Z][A-Za-wyz0-9_]*|\d+")
_SMALL = (3, 4, 5, 2, 7, 6)
_LEAST = 0.5  # of numbers above 0: no difference quotient steps out of the domain


@dataclasses.dataclass(frozen=True)
class Argument:
    """One argument of an operation.

    Attributes:
        axes: its axes, names or numbers.
        below: None for real numbers; else integers from 0 to below this name or number.
        positive: whether real numbers are above 0.
    """

    axes: tuple[str, ...]
    below: str | None = None
    positive: bool = False

    @classmethod
    def parse(cls, text: str) -> "Argument":
        """Reads "NxD", "N:int<K" or "N:>0"; "" is a scalar.

        Raises:
            ValueError: the text is none of these.
        """
        found = _SPEC.fullmatch(text)
        axes = tuple(found["axes"].split("x")) if found and found["axes"] else ()
        if found is None or not all(map(_AXIS.fullmatch, axes)):
            forms = '"4x7", "NxD", "4:int<10" or "4:>0", names with a capital'
            raise ValueError(f"an argument is written {forms}, got {text!r}")
        if found["below"] and int(found["below"] if found["below"].isdecimal() else 1) < 1:
            raise ValueError(f"integers below {found['below']} there are none, in {text!r}")
        return cls(axes, found["below"], bool(found["positive"]))

    def __str__(self) -> str:
        """The text that is read as this argument."""
        whole = f":int<{self.below}" if self.below else ""
        return "x".join(self.axes) + whole + (":>0" if self.positive else "")

    @property
    def is_real(self) -> bool:
        """Whether the argument has a cotangent."""
        return self.below is None

    def shape(self, sizes: Sizes) -> tuple[int, ...]:
        """The shape for these sizes of the names."""
        return tuple(size_of(axis, sizes) for axis in self.axes)

    def draw(self, generator: np.random.Generator, sizes: Sizes) -> np.ndarray:
        """Random values: real ones standard normal, in float64, or 0.5 and a normal's square."""
        if self.below is not None:
            below = size_of(self.below, sizes)
            return generator.integers(0, below, self.shape(sizes), np.int32)
        normal = generator.normal(size=self.shape(sizes))
        return _LEAST + normal**2 if self.positive else normal

    def draw_whole(self, generator: np.random.Generator, sizes: Sizes) -> np.ndarray:
        """Random integers from -3 or 1 to 3, as real ones: sums of them do not round."""
        if self.below is not None:
            return self.draw(generator, sizes)
        least = 1 if self.positive else -3
        return generator.integers(least, 4, self.shape(sizes)).astype(np.float64)


def size_of(axis: str, sizes: Sizes) -> int:
    """The size of an axis: of its name, or the number itself."""
    return int(axis) if axis.isdecimal() else sizes[axis]


def at(sizes: Sizes) -> str:
    """The sizes in words, to follow what was met at them."""
    return f" at {' '.join(f'{name}={size}' for name, size in sizes.items())}" if sizes else ""


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
