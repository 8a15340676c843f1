"""Exact numbers for proofs: rational functions of symbols, and of exp, log, erf and roots of these.

An element is a quotient of polynomials over the rationals. Each function of an element that occurs
is one more generator of the field. Of a root t of a it is known that t^n = a, so that powers of t
stay below n. An element is zero if its numerator then has no term; it is zero wherever it is
defined, which proves an identity. A numerator with terms is no disproof: generators may be related
in ways that the field does not know.
"""

import dataclasses
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import flint

_SPARE = 64  # functions beside the symbols
Polynomial = flint.fmpq_mpoly


class UndecidedError(Exception):
    """Something that the algebra does not know; never a proof."""


@dataclasses.dataclass(frozen=True)
class Generator:
    """What a generator stands for: a symbol or pi^(-1/2), or a function of an element."""

    kind: str  # "symbol", "constant", "exp", "log", "erf" or "root"
    argument: Any = None
    degree: int = 1  # of a root


@dataclasses.dataclass(frozen=True, eq=False)
class Element:
    """A quotient of two polynomials in lowest terms."""

    field: "Field"
    num: Polynomial
    den: Polynomial

    def __add__(self, other: Any) -> "Element":
        other = self.field.of(other)
        if self.den == other.den:
            return self.field.quotient(self.num + other.num, self.den)
        cross = self.num * other.den + other.num * self.den
        return self.field.quotient(cross, self.den * other.den)

    def __mul__(self, other: Any) -> "Element":
        other = self.field.of(other)
        return self.field.quotient(self.num * other.num, self.den * other.den)

    def __truediv__(self, other: Any) -> "Element":
        other = self.field.of(other)
        if other.num.is_zero():
            raise UndecidedError("division by zero")
        return self.field.quotient(self.num * other.den, self.den * other.num)

    def __neg__(self) -> "Element":
        return Element(self.field, -self.num, self.den)

    def __sub__(self, other: Any) -> "Element":
        return self + -self.field.of(other)

    def __pow__(self, power: int) -> "Element":
        base = self if power >= 0 else 1 / self
        return self.field.quotient(base.num ** abs(power), base.den ** abs(power))

    def __rsub__(self, other: Any) -> "Element":
        return self.field.of(other) - self

    def __rtruediv__(self, other: Any) -> "Element":
        return self.field.of(other) / self

    __radd__, __rmul__ = __add__, __mul__

    @property
    def is_zero(self) -> bool:
        """Whether it is 0 by the laws of the field."""
        return self.field.quotient(self.num, self.den).num.is_zero()

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for equal elements."""
        return tuple(self.num.terms()), tuple(self.den.terms())

    @property
    def rational(self) -> Fraction | None:
        """The value of a constant; None for another element."""
        if self.num.is_zero():
            return Fraction(0)
        if not (self.num.is_constant() and self.den.is_constant()):
            return None
        return fraction(self.num.leading_coefficient()) / fraction(self.den.leading_coefficient())


class Field:
    """The rational functions of some symbols and of the functions that computations add.

    Attributes:
        generators: what each generator stands for, the symbols first.
        memory: what other modules remember of this field.
        deadline: when computations end, as ``time.monotonic`` counts.
    """

    def __init__(self, symbols: int) -> None:
        """A field with so many symbols."""
        names = [f"g{i}" for i in range(symbols + _SPARE)]
        self.context = flint.fmpq_mpoly_ctx.get(names, "degrevlex")
        self.generators = [Generator("symbol")] * symbols
        self.memory: dict[Any, Any] = {}
        self.deadline = float("inf")
        self._unit = self.context.constant(1)
        self.zero = self.polynomial(0 * self._unit)

    def generator(self, index: int) -> Element:
        """A generator as an element."""
        return self.polynomial(self.context.gen(index))

    def polynomial(self, p: Polynomial) -> Element:
        """A polynomial as an element."""
        return Element(self, p, self._unit)

    def of(self, value: Any) -> Element:
        """A rational number as an element; elements stay what they are."""
        if isinstance(value, Element):
            return value
        if not isinstance(value, int | Fraction):
            raise UndecidedError(f"arithmetic with {value}")
        return self.polynomial(self._unit * flint.fmpq(*value.as_integer_ratio()))

    def function(self, kind: str, argument: Element | None, degree: int = 1) -> Element:
        """The generator for this function of the argument: the same if there is one."""
        key = kind, degree, argument and argument.key
        if key not in self.memory:
            if len(self.generators) == self.context.nvars():
                raise UndecidedError(f"more than {_SPARE} functions")
            self.generators.append(Generator(kind, argument, degree))
            self.memory[key] = self.generator(len(self.generators) - 1)
        return self.memory[key]

    def quotient(self, num: Polynomial, den: Polynomial) -> Element:
        """The quotient in lowest terms, with a denominator of leading coefficient 1."""
        if time.monotonic() > self.deadline:
            raise UndecidedError("out of time")
        for index in reversed(range(len(self.generators))):
            if self.generators[index].kind == "root":
                num, den = self._with_few_roots(num, den, index)
        if not den.is_constant():
            common = num.gcd(den)
            num, den = num / common, den / common
        lead = den.leading_coefficient()
        return Element(self, num / lead, den / lead)

    def factors(self, p: Polynomial) -> Iterator[tuple[Polynomial, int]]:
        """The factors of a polynomial, a constant among them, and their powers."""
        constant, factors = p.factor()
        yield constant * self._unit, 1
        yield from ((factor, int(power)) for factor, power in factors)

    def is_positive(self, p: Polynomial) -> bool:
        """Whether every term is positive, or none negative and one positive, whatever symbols are.

        Exponentials are positive, and roots of what is.
        """
        odd = [[i for i, k in enumerate(powers) if k % 2] for powers in p.monoms()]
        used = [[i for i, k in enumerate(powers) if k] for powers in p.monoms()]
        unsigned = all(all(map(self._is_positive_generator, places)) for places in odd)
        sure = any(all(map(self._is_positive_generator, places)) for places in used)
        return unsigned and sure and min(p.coeffs()) > 0

    def _is_positive_generator(self, index: int) -> bool:
        law = self.generators[index]
        if law.kind == "root":
            return self.is_positive(law.argument.num) and self.is_positive(law.argument.den)
        return law.kind in ("exp", "constant")

    def _with_few_roots(
        self, num: Polynomial, den: Polynomial, index: int
    ) -> tuple[Polynomial, Polynomial]:
        """The same quotient, with powers of a root below its degree, and none that divides den."""
        if index not in {*generators_of(num), *generators_of(den)}:
            return num, den
        degree, t = self.generators[index].degree, self.context.gen(index)
        lowest = min(powers[index] for powers in den.monoms())
        missing = t ** (-lowest % degree)
        (num, above), (den, below) = (self._reduced(p * missing, index) for p in (num, den))
        return num * below, den * above

    def _reduced(self, p: Polynomial, index: int) -> tuple[Polynomial, Polynomial]:
        """(q, d) with p = q / d, where powers of the root are below its degree in q."""
        law, by_power = self.generators[index], dict[int, dict[Any, Any]]()
        for powers, c in p.terms():
            rest = (*powers[:index], 0, *powers[index + 1 :])
            by_power.setdefault(powers[index], {})[rest] = c
        t, most = self.context.gen(index), max(by_power, default=0) // law.degree
        num, den = law.argument.num, law.argument.den
        terms = (
            self.context.from_dict(rest) * t ** (power % law.degree)
            * num ** (power // law.degree) * den ** (most - power // law.degree)
            for power, rest in by_power.items()
        )  # fmt: skip
        return sum(terms, start=0 * self._unit), den**most


def generators_of(p: Polynomial) -> list[int]:
    """The indices of the generators that occur in a polynomial."""
    return [index for index, degree in enumerate(p.degrees()) if degree > 0]


def fraction(c: Any) -> Fraction:
    """A coefficient as a fraction."""
    return Fraction(int(c.p), int(c.q))
