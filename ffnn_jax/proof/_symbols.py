"""The symbols of a proof, and the rational numbers that are put in their place."""

import dataclasses
import itertools
import random
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from ffnn_jax.proof._domains import Domain


@dataclasses.dataclass(frozen=True)
class Symbols:
    """One symbol for each entry of the real arguments, then one for each of the cotangents.

    Attributes:
        names: the real arguments' names.
        domains: their domains.
        sizes: their numbers of entries.
        cotangents: the number of entries of the outputs' cotangents.
    """

    names: Sequence[str]
    domains: Sequence[Domain]
    sizes: Sequence[int]
    cotangents: int

    @property
    def count(self) -> int:
        """How many symbols there are."""
        return sum(self.sizes) + self.cotangents

    def facts(self) -> list[Any]:
        """That each symbol of an argument is inside its domain."""
        arguments = zip(self.domains, self.sizes, strict=True)
        bounds = [domain for domain, size in arguments for _ in range(size)]
        return [fact for i, domain in enumerate(bounds) for fact in domain.facts(i)]

    def random_point(self, generator: random.Random) -> dict[int, Fraction]:
        """A rational number for each symbol, inside the domains of the arguments."""
        parts = [*zip(self.domains, self.sizes, strict=True), (Domain(), self.cotangents)]
        drawn = (number for domain, size in parts for number in domain.draw_all(generator, size))
        return dict(enumerate(drawn))

    def doubt(self) -> str:
        """Why a random point may be outside a domain; "" if none can be."""
        return next((d.outside for d in self.domains if d.outside and not d.simplex), "")

    def shown(self, point: Mapping[int, Fraction]) -> str:
        """The numbers of a point by argument, then those of the cotangents."""
        numbers, words = iter(str(point[i]) for i in range(self.count)), []
        for name, size in zip(self.names, self.sizes, strict=True):
            words.append(f"{name} = [{', '.join(itertools.islice(numbers, size))}]")
        rest = ", ".join(numbers)
        return "; ".join([*words, *([f"cotangent = [{rest}]"] if rest else [])])
