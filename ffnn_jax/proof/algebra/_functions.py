"""Functions of elements, and floating-point constants as exact ones.

    exp(a + b) = exp(a) exp(b),  exp(n log a) = a^n,  exp(m/n) = exp(m)^(1/n)
    log(a b) = log(a) + log(b) for a > 0,  log(exp a) = a,  erf(-a) = -erf(a)

so that generators which the field does not know to be related hardly ever are.
"""

import itertools
import math
from fractions import Fraction
from typing import Any

import flint

from ffnn_jax.proof.algebra._field import (
    Element,
    Field,
    Polynomial,
    UndecidedError,
    fraction,
    generators_of,
)

_ULPS = 4 * 2.0**-53
_DIGITS, _FEWER_DIGITS = 12, 10  # of a decimal that stands for itself
_LARGEST_DENOMINATOR = 10_000


def exp(a: Element) -> Element:
    """The exponential: a product over the terms of a polynomial."""
    if not a.den.is_constant():
        return a.field.function("exp", a)
    powers = (_exp_of_term(a.field, powers, fraction(c)) for powers, c in a.num.terms())
    return math.prod(powers, start=a.field.of(1))


def log(a: Element) -> Element:
    """The logarithm: a sum over factors that are positive whatever symbols are, and one rest."""
    field, total, rest = a.field, a.field.zero, a.field.of(1)
    for p, side in ((a.num, 1), (a.den, -1)):
        for factor, power in field.factors(p):
            if field.is_positive(factor):
                total = total + side * power * _log_of_factor(field, factor)
            else:
                rest = rest * field.polynomial(factor) ** (side * power)
    return total if rest.rational == 1 else total + field.function("log", rest)


def erf(a: Element) -> Element:
    """The error function, which is odd."""
    if ("erf", 1, (-a).key) in a.field.memory:
        return -a.field.function("erf", -a)
    return a.field.function("erf", a)


def root(a: Element, degree: int = 2) -> Element:
    """The real root, positive if the degree is even; whole powers are taken out of a number."""
    rational = a.rational
    if rational is None:
        return a.field.function("root", a, degree)
    if rational == 0:
        return a.field.zero
    if rational < 0 and degree % 2:
        return -root(-a, degree)
    if rational < 0:
        raise UndecidedError("a root of a negative number")
    top = rational.numerator * rational.denominator ** (degree - 1)
    whole, rest = _without_powers(top, degree)
    irrational = 1 if rest == 1 else a.field.function("root", a.field.of(rest), degree)
    return irrational * a.field.of(Fraction(whole, rational.denominator))


def inverse_root_of_pi(field: Field) -> Element:
    """1 / sqrt(pi), which no polynomial over the rationals relates to other numbers."""
    return field.function("constant", None)


def exact(field: Field, value: float) -> Element:
    """What a float64 stands for: a short decimal r or small fraction, r sqrt(n), r sqrt(n pi)
    or r sqrt(n / pi) with n up to 3, if it is that but for rounding; or else its shortest decimal.
    """
    simple = _simple(value, _DIGITS)
    if simple is not None:
        return field.of(simple)
    for over_pi, radicand in itertools.product((0, 1, -1), (1, 2, 3)):
        ratio = _simple(value / math.sqrt(radicand / math.pi**over_pi), _FEWER_DIGITS)
        if ratio is not None:
            pi = inverse_root_of_pi(field) ** over_pi if over_pi else 1
            return field.of(ratio) * root(field.of(radicand)) * pi
    return field.of(Fraction(repr(value)))


def _exp_of_term(field: Field, powers: tuple[int, ...], factor: Fraction) -> Element:
    """exp(factor m) of a monomial m: a power of exp(m / n), or a^n for m = log a."""
    used = [(index, power) for index, power in enumerate(powers) if power]
    if len(used) == 1 and used[0][1] == 1:
        known = field.generators[used[0][0]]
        if known.kind == "log":
            return _power(known.argument, factor)
    base, parts = field.memory.get(("exponential", powers), (None, factor.denominator))
    if base is None:
        m = field.polynomial(field.context.from_dict({powers: 1}))
        base = field.function("exp", m / parts)
        field.memory["exponential", powers] = base, parts
    return _power(base, factor * parts)


def _power(base: Element, exponent: Fraction) -> Element:
    """A rational power of a positive element."""
    whole = exponent.denominator == 1
    return (base if whole else root(base, exponent.denominator)) ** exponent.numerator


def _log_of_factor(field: Field, factor: Polynomial) -> Element:
    if factor.is_constant() and factor.leading_coefficient() == 1:
        return field.zero
    for index in generators_of(factor):
        if field.generators[index].kind == "exp" and factor == field.context.gen(index):
            return field.generators[index].argument
    return field.function("log", field.polynomial(factor))


def _simple(value: float, digits: int) -> Fraction | None:
    """The short decimal or small fraction that a float64 is nearest to; None without one."""
    if sum(map(str.isdigit, repr(value).split("e")[0])) <= digits:
        return Fraction(repr(value))
    near = Fraction(value).limit_denominator(_LARGEST_DENOMINATOR)
    return near if near and abs(float(near) - value) <= _ULPS * abs(value) else None


def _without_powers(number: int, degree: int) -> tuple[int, int]:
    """(a, b) with number = a^degree b."""
    whole, rest = 1, 1
    factors: Any = flint.fmpz(number).factor()
    for prime, power in factors:
        whole *= int(prime) ** (power // degree)
        rest *= int(prime) ** (power % degree)
    return whole, rest
