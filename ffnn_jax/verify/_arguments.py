"""Text descriptions of arguments, sizes for their axis names, and random values.

"NxDxK" describes an argument of real numbers with three axes, each a name or a number; "N:int<K"
integers from 0 to K - 1; and "C:>0" positive real numbers, such as variances, drawn from 0.5
upwards over an order of magnitude. A name stands for the same size wherever it occurs.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

Sizes = Mapping[str, int]
_SPEC = re.compile(r"(?P<axes>[^:]*)(?::int<(?P<below>[A-Z]\w*|\d+)|(?P<positive>:>0))?")
_AXIS = re.compile(r"[A-Z][A-Za-wyz0-9_]*|\d+")
_SMALL = (3, 4, 5, 2, 7, 6)
_MINIMUM = 0.5  # of positive numbers, so that no difference quotient leaves the domain


@dataclasses.dataclass(frozen=True)
class Argument:
    """One argument of an operation.

    Attributes:
        axes: the axes, as names or numbers.
        below: the exclusive upper bound of integers, a name or number; None for real numbers.
        positive: whether the real numbers are positive.
    """

    axes: tuple[str, ...]
    below: str | None = None
    positive: bool = False

    @classmethod
    def parse(cls, text: str) -> "Argument":
        """Parses "NxD", "N:int<K" or "N:>0"; "" is a scalar.

        Raises:
            ValueError: the text has a different form.
        """
        match = _SPEC.fullmatch(text)
        axes = tuple(match["axes"].split("x")) if match and match["axes"] else ()
        if match is None or not all(map(_AXIS.fullmatch, axes)):
            forms = '"4x7", "NxD", "4:int<10" or "4:>0", with capitalised names'
            raise ValueError(f"an argument must look like {forms}, got {text!r}")
        if match["below"] and int(match["below"] if match["below"].isdecimal() else 1) < 1:
            raise ValueError(f"the upper bound of integers must be at least 1, got {text!r}")
        return cls(axes, match["below"], bool(match["positive"]))

    def __str__(self) -> str:
        """The text that parses to this argument."""
        integers = f":int<{self.below}" if self.below else ""
        return "x".join(self.axes) + integers + (":>0" if self.positive else "")

    @property
    def is_real(self) -> bool:
        """Whether the argument has a cotangent."""
        return self.below is None

    def shape(self, sizes: Sizes) -> tuple[int, ...]:
        """The shape, given the sizes of the axis names."""
        return tuple(size_of(axis, sizes) for axis in self.axes)

    def draw(self, generator: np.random.Generator, sizes: Sizes) -> np.ndarray:
        """Random values: standard normal in float64; 0.5 + normal^2 for positive ones."""
        if self.below is not None:
            below = size_of(self.below, sizes)
            return generator.integers(0, below, self.shape(sizes), np.int32)
        normal = generator.normal(size=self.shape(sizes))
        return _MINIMUM + normal**2 if self.positive else normal

    def draw_integers(self, generator: np.random.Generator, sizes: Sizes) -> np.ndarray:
        """Random integers from -3 (or 1) to 3, as float64: their sums do not round."""
        if self.below is not None:
            return self.draw(generator, sizes)
        minimum = 1 if self.positive else -3
        return generator.integers(minimum, 4, self.shape(sizes)).astype(np.float64)


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
    """Samples sizes for the axis names: small and all different, a batch of one, then others.

    Args:
        arguments: the arguments whose axis names need sizes.
        batch: the name of the batch axis, if any.
        seed: seed of the sizes.
        count: number of sets of sizes; a single one if there are no names.
    """
    names, generator = names_in(arguments), np.random.default_rng(seed)
    small = [_SMALL[i % len(_SMALL)] + 6 * (i // len(_SMALL)) for i in range(len(names))]
    yield dict(zip(names, small, strict=True))
    for i in range(1, count if names else 1):
        sampled = generator.permutation(np.arange(1, 2 * len(names) + 6))[: len(names)]
        sizes = dict(zip(names, map(int, sampled), strict=True))
        yield sizes | ({batch: 1} if batch and i == 1 else {})
