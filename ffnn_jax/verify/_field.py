"""Exact numbers for proofs: rational functions of symbols, and of exp, log, erf and roots of these.

An element is a quotient of polynomials over the rationals. Each exponential, logarithm, error
function or root that occurs becomes one more generator of the field, with what is known of it:

    (exp a)' = a' exp a,   (log a)' = a' / a,   (erf a)' = 2 / sqrt(pi) exp(-a^2) a'
    t^n = a and so t' = a' t / (n a) for a root t of a

exp(a + b) is exp(a) exp(b), log(a b) is log(a) + log(b), and an exponential and a logarithm undo one
another, so that the generators of a field that the laws do not relate are hardly ever related. An
element is zero if its numerator, with powers of roots reduced by their laws, has no term: then it
is zero wherever it is defined, which proves an identity. A numerator with terms is no disproof.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import flint

_SPARE, _BITS = 64, 256
_ULP = 4 * 2.0**-53
_LONGEST = 12  # digits of a decimal that stands for itself


class Unsupported(Exception):
    """Something that the algebra does not know; never a proof."""


@dataclasses.dataclass(frozen=True)
class Generator:
    """What a generator stands for: a symbol, or a function of an element."""

    kind: str  # "symbol", "exp", "log", "erf", "root", "1/sqrt(pi)"
    argument: Any = None
    degree: int = 1


@dataclasses.dataclass(frozen=True, eq=False)
class Element:
    """A quotient of two polynomials in lowest terms."""

    field: "Field"
    num: flint.fmpq_mpoly
    den: flint.fmpq_mpoly

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
            raise Unsupported("division by zero")
        return self.field.quotient(self.num * other.den, self.den * other.num)

    def __neg__(self) -> "Element":
        return Element(self.field, -self.num, self.den)

    def __sub__(self, other: Any) -> "Element":
        return self + -self.field.of(other)

    def __pow__(self, power: int) -> "Element":
        base = self if power >= 0 else self.field.one / self
        return Element(self.field, base.num ** abs(power), base.den ** abs(power))

    def __rsub__(self, other: Any) -> "Element":
        return self.field.of(other) - self

    def __rtruediv__(self, other: Any) -> "Element":
        return self.field.of(other) / self

    __radd__, __rmul__ = __add__, __mul__

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for equal elements."""
        return tuple(self.num.terms()), tuple(self.den.terms())

    @property
    def rational(self) -> Fraction | None:
        """The value of a constant; None for another element."""
        if not (self.num.is_constant() and self.den.is_constant()):
            return None
        return _fraction(self.num.leading_coefficient() if self.num else 0) / _fraction(
            self.den.leading_coefficient()
        )


class Field:
    """The rational functions of some symbols, and the generators that computations add."""

    def __init__(self, symbols: int) -> None:
        """A field with so many symbols."""
        names = [f"g{i}" for i in range(symbols + _SPARE)]
        self._context = flint.fmpq_mpoly_ctx.get(names, "degrevlex")
        self._unit = self._context.constant(1)
        self.generators = [Generator("symbol")] * symbols
        self._known: dict[Any, Element] = {}
        self.one, self.zero = self.polynomial(self._unit), self.polynomial(0 * self._unit)

    def symbol(self, index: int) -> Element:
        """A generator as an element."""
        return self.polynomial(self._context.gen(index))

    def of(self, value: Any) -> Element:
        """A number as an element; one nearly r, r sqrt(n), r sqrt(n / pi) or r sqrt(n pi) is that."""
        if isinstance(value, Element):
            return value
        if not math.isfinite(value):
            raise Unsupported("arithmetic with infinity or NaN")
        return self._number(float(value) if not isinstance(value, Fraction | int) else value)

    def quotient(self, num: Any, den: Any) -> Element:
        """num / den in lowest terms, with a denominator of leading coefficient 1."""
        for index in reversed(range(len(self.generators))):
            if self.generators[index].kind == "root":
                num, den = self._with_few_roots(num, den, index)
        if not den.is_constant():
            common = num.gcd(den)
            num, den = num / common, den / common
        lead = den.leading_coefficient()
        return Element(self, num / lead, den / lead)

    def exp(self, a: Element) -> Element:
        """exp(a), as a product over the terms of a polynomial."""
        if not a.den.is_constant():
            return self._new("exp", a)
        powers = (self._exp_of_term(powers, _fraction(c)) for powers, c in a.num.terms())
        return math.prod(powers, start=self.one)

    def log(self, a: Element) -> Element:
        """log(a), as a sum over the factors of numerator and denominator."""
        return self._log(a.num) - self._log(a.den)

    def erf(self, a: Element) -> Element:
        """erf(a), which is odd."""
        negative = ("erf", 1, (-a).key) in self._known
        return -self._new("erf", -a) if negative else self._new("erf", a)

    def root(self, a: Element, degree: int = 2) -> Element:
        """The positive root of a, with the squares of numbers taken out."""
        rational = a.rational
        if rational is None:
            return self._new("root", a, degree)
        top = rational.numerator * rational.denominator ** (degree - 1)
        whole, rest = _without_powers(top, degree)
        root = self.one if rest == 1 else self._new("root", self.of(rest), degree)
        return root * Fraction(whole, rational.denominator)

    def derivative(self, a: Element, symbol: int) -> Element:
        """da / dsymbol."""
        num, den = self._of_polynomial(a.num, symbol), self._of_polynomial(a.den, symbol)
        if den.num.is_zero():
            return num / self.polynomial(a.den)
        return num / self.polynomial(a.den) - a * den / self.polynomial(a.den)

    def is_zero(self, a: Element) -> bool:
        """Whether a is 0 by the laws of the field."""
        return self.quotient(a.num, a.den).num.is_zero()

    def substitute(self, a: Element, values: Mapping[int, Element]) -> Element:
        """a with elements in place of symbols."""
        if not values:
            return a
        images = functools.cache(lambda index: self._image(index, values))
        return self._evaluate(a.num, images) / self._evaluate(a.den, images)

    def ball(self, a: Element, point: Mapping[int, Fraction]) -> flint.arb:
        """The value of a at a point of rational numbers, as an interval that contains it."""
        with flint.ctx.workprec(_BITS):
            numbers = functools.cache(lambda index: self._ball_of(index, point))
            parts = (_sum_of_terms(p, numbers, flint.arb(0)) for p in (a.num, a.den))
            num, den = parts
            return num / den

    def index_of(self, symbol: Element) -> int:
        """The index of a symbol."""
        return next(i for i, degree in enumerate(symbol.num.degrees()) if degree > 0)

    def positive(self, index: int) -> bool:
        """Whether a generator is known to be positive."""
        return self.generators[index].kind in ("exp", "root", "1/sqrt(pi)")

    def factors(self, p: Any) -> Iterator[tuple[Any, int]]:
        """The factors of a polynomial, a constant among them, and their powers."""
        constant, factors = p.factor()
        yield constant * self._unit, 1
        yield from ((factor, int(power)) for factor, power in factors)

    def polynomial(self, p: Any) -> Element:
        """A polynomial as an element."""
        return Element(self, p, self._unit)

    def _number(self, value: float | Fraction | int) -> Element:
        if not isinstance(value, float):
            return self.polynomial(self._unit * flint.fmpq(*Fraction(value).as_integer_ratio()))
        simple = _simple(value)
        if simple is not None:
            return self._number(simple)
        for over_pi, radicand in itertools.product((0, 1, -1), (1, 2, 3)):
            ratio = _simple(value / math.sqrt(radicand / math.pi**over_pi), 10)
            if ratio is not None:
                pi = self._new("1/sqrt(pi)", self.one) ** over_pi if over_pi else self.one
                return ratio * self.root(self.of(radicand)) * pi
        return self._number(Fraction(repr(value)))

    def _new(self, kind: str, argument: Element, degree: int = 1) -> Element:
        """The generator for this function of the argument: the same if there is one."""
        key = kind, degree, argument.key
        if key not in self._known:
            if len(self.generators) == self._context.nvars():
                raise Unsupported(f"more than {_SPARE} functions")
            self.generators.append(Generator(kind, argument, degree))
            self._known[key] = self.symbol(len(self.generators) - 1)
        return self._known[key]

    def _exp_of_term(self, powers: tuple[int, ...], factor: Fraction) -> Element:
        """exp(factor m) of a monomial m: a power of exp(m / n), or exp(log a)^n = a^n."""
        (index, power), *others = [(i, p) for i, p in enumerate(powers) if p] or [(None, 0)]
        known = self.generators[index] if index is not None else Generator("symbol")
        if known.kind == "log" and power == 1 and not others and factor.denominator == 1:
            return known.argument ** int(factor)
        base = self._known.get(("exponent", powers))
        if base is None:
            m = self.polynomial(self._context.from_dict({powers: 1})) / factor.denominator
            base = self._known["exponent", powers] = self._new("exp", m)
            self._known["parts", powers] = self.of(factor.denominator)
        times = factor * self._known["parts", powers].rational
        if times.denominator == 1:
            return base ** int(times)
        return self.root(base, times.denominator) ** times.numerator

    def _log(self, p: Any) -> Element:
        return sum((power * self._log_of(f) for f, power in self.factors(p)), start=self.zero)

    def _log_of(self, factor: Any) -> Element:
        if factor.is_constant() and factor.leading_coefficient() == 1:
            return self.zero
        used = [i for i, degree in enumerate(factor.degrees()) if degree > 0]
        alone = used and factor == self._context.gen(used[0])
        if alone and self.generators[used[0]].kind == "exp":
            return self.generators[used[0]].argument
        return self._new("log", self.polynomial(factor))

    def _of_polynomial(self, p: Any, symbol: int) -> Element:
        """The derivative of a polynomial, by the chain rule over its generators."""
        terms = (
            self.polynomial(p.derivative(index)) * self._of_generator(index, symbol)
            for index, degree in enumerate(p.degrees()) if degree > 0
        )  # fmt: skip
        return sum(terms, start=self.zero)

    def _of_generator(self, index: int, symbol: int) -> Element:
        key = "derivative", index, symbol
        if key not in self._known:
            self._known[key] = self._differentiated(index, symbol)
        return self._known[key]

    def _differentiated(self, index: int, symbol: int) -> Element:
        t, law = self.symbol(index), self.generators[index]
        if law.argument is None:
            return self.one if index == symbol else self.zero
        inner = self.derivative(law.argument, symbol)
        if inner.num.is_zero():
            return self.zero
        if law.kind == "exp":
            return inner * t
        if law.kind == "log":
            return inner / law.argument
        if law.kind == "root":
            return inner * t / (law.degree * law.argument)
        bell = self.exp(-(law.argument**2))
        return 2 * self._new("1/sqrt(pi)", self.one) * bell * inner

    def _with_few_roots(self, num: Any, den: Any, index: int) -> tuple[Any, Any]:
        """The same quotient, with powers of a root below its degree, and none that divides den."""
        if not (num.degrees()[index] or den.degrees()[index]):
            return num, den
        degree, t = self.generators[index].degree, self._context.gen(index)
        lowest = min(powers[index] for powers in den.monoms())
        missing = t ** (-lowest % degree)
        (num, above), (den, below) = (self._reduced(p * missing, index) for p in (num, den))
        return num * below, den * above

    def _reduced(self, p: Any, index: int) -> tuple[Any, Any]:
        """(q, d) with p = q / d, where powers of the root are below its degree in q."""
        law, by_power = self.generators[index], dict[int, dict[Any, Any]]()
        for powers, c in p.terms():
            rest = (*powers[:index], 0, *powers[index + 1 :])
            by_power.setdefault(powers[index], {})[rest] = c
        t, most = self._context.gen(index), max(by_power, default=0) // law.degree
        num, den = law.argument.num, law.argument.den
        terms = (
            self._context.from_dict(rest) * t ** (power % law.degree)
            * num ** (power // law.degree) * den ** (most - power // law.degree)
            for power, rest in by_power.items()
        )  # fmt: skip
        return sum(terms, start=0 * self._unit), den**most

    def _evaluate(self, p: Any, images: Any) -> Element:
        return _sum_of_terms(p, images, self.zero)

    def _image(self, index: int, values: Mapping[int, Element]) -> Element:
        law = self.generators[index]
        if law.argument is None:
            return values.get(index, self.symbol(index))
        argument = self.substitute(law.argument, values)
        return self._function(law, argument)

    def _function(self, law: Generator, argument: Element) -> Element:
        if law.kind == "root":
            return self.root(argument, law.degree)
        if law.kind == "1/sqrt(pi)":
            return self._new(law.kind, self.one)
        return getattr(self, law.kind)(argument)

    def _ball_of(self, index: int, point: Mapping[int, Fraction]) -> flint.arb:
        law = self.generators[index]
        if law.argument is None:
            return flint.arb(flint.fmpq(*point[index].as_integer_ratio()))
        if law.kind == "1/sqrt(pi)":
            return 1 / flint.arb.pi().sqrt()
        inner = self.ball(law.argument, point)
        return inner.root(law.degree) if law.kind == "root" else getattr(inner, law.kind)()


def _sum_of_terms(p: Any, values: Any, zero: Any) -> Any:
    """A polynomial at these values of its generators."""
    total = zero
    for powers, c in p.terms():
        used = (values(i) ** int(k) for i, k in enumerate(powers) if k)
        coefficient = _fraction(c) if isinstance(zero, Element) else flint.arb(c)
        total = total + math.prod(used, start=1) * coefficient
    return total


def _fraction(c: Any) -> Fraction:
    return Fraction(int(c.p), int(c.q)) if isinstance(c, flint.fmpq) else Fraction(int(c))


def _simple(value: float, digits: int = _LONGEST) -> Fraction | None:
    """The short decimal or small fraction that a float64 is nearest to."""
    if sum(map(str.isdigit, f"{value!r}".split("e")[0])) <= digits:
        return Fraction(repr(value))
    near = Fraction(value).limit_denominator(10_000)
    return near if near and abs(float(near) - value) <= _ULP * abs(value) else None


def _without_powers(number: int, degree: int) -> tuple[int, int]:
    """(a, b) with number = a^degree b."""
    whole, rest = 1, 1
    for prime, power in flint.fmpz(number).factor():
        whole *= int(prime) ** (power // degree)
        rest *= int(prime) ** (power % degree)
    return whole, rest
