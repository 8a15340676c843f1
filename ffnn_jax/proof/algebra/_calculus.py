"""Derivatives of elements, other elements in place of symbols, and their values in numbers.

The derivatives of the generators are

    (exp a)' = a' exp a,   (log a)' = a' / a,   (erf a)' = 2 / sqrt(pi) exp(-a^2) a'

and, since t^n = a, t' = a' t / (n a) for a root t.
"""

import functools
import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import flint

from ffnn_jax.proof.algebra import _functions
from ffnn_jax.proof.algebra._field import Element, Field, Polynomial, fraction, generators_of

_BITS = 256


def derivative(a: Element, symbol: int) -> Element:
    """The derivative of an element with respect to a symbol, by the quotient rule."""
    field, den = a.field, a.field.polynomial(a.den)
    d_num, d_den = (_of_polynomial(field, p, symbol) for p in (a.num, a.den))
    return d_num / den if d_den.num.is_zero() else (d_num - a * d_den) / den


def substitute(a: Element, values: Mapping[int, Element]) -> Element:
    """The element with these in place of symbols."""
    if not values:
        return a
    images = functools.cache(lambda index: _image(a.field, index, values))
    num, den = (_sum_of_terms(p, images, a.field.zero, fraction) for p in (a.num, a.den))
    return num / den


def interval(a: Element, point: Mapping[int, Fraction]) -> Any:
    """An interval that holds the value of an element where symbols are these rational numbers."""
    with flint.ctx.workprec(_BITS):
        numbers = functools.cache(lambda index: _number(a.field, index, point))
        num, den = (_sum_of_terms(p, numbers, flint.arb(0), flint.arb) for p in (a.num, a.den))
        return num / den


def _of_polynomial(field: Field, p: Polynomial, symbol: int) -> Element:
    """The derivative of a polynomial, by the chain rule over its generators."""
    terms = (
        field.polynomial(p.derivative(index)) * _of_generator(field, index, symbol)
        for index in generators_of(p)
    )
    return sum(terms, start=field.zero)


def _of_generator(field: Field, index: int, symbol: int) -> Element:
    key = "derivative", index, symbol
    if key not in field.memory:
        field.memory[key] = _differentiated(field, index, symbol)
    return field.memory[key]


def _differentiated(field: Field, index: int, symbol: int) -> Element:
    t, law = field.generator(index), field.generators[index]
    if law.argument is None:
        return field.of(int(index == symbol))
    inner = derivative(law.argument, symbol)
    if inner.num.is_zero():
        return field.zero
    if law.kind == "exp":
        return inner * t
    if law.kind == "log":
        return inner / law.argument
    if law.kind == "root":
        return inner * t / (law.degree * law.argument)
    bell = _functions.exp(-(law.argument**2))
    return 2 * _functions.inverse_root_of_pi(field) * bell * inner


def _image(field: Field, index: int, values: Mapping[int, Element]) -> Element:
    """What becomes of a generator if symbols are replaced."""
    law = field.generators[index]
    if law.argument is None:
        return values.get(index, field.generator(index))
    argument = substitute(law.argument, values)
    if law.kind == "root":
        return _functions.root(argument, law.degree)
    return getattr(_functions, law.kind)(argument)


def _number(field: Field, index: int, point: Mapping[int, Fraction]) -> Any:
    """The value of a generator."""
    law = field.generators[index]
    if law.kind == "symbol":
        return flint.arb(flint.fmpq(*point[index].as_integer_ratio()))
    if law.kind == "constant":
        return 1 / flint.arb.pi().sqrt()
    inner = interval(law.argument, point)
    if law.kind != "root":
        return getattr(inner, law.kind)()
    negative = law.degree % 2 and inner < 0
    return -(-inner).root(law.degree) if negative else inner.root(law.degree)


def _sum_of_terms(
    p: Polynomial, values: Callable[[int], Any], zero: Any, number: Callable[[Any], Any]
) -> Any:
    """A polynomial at these values of its generators."""
    total = zero
    for powers, c in p.terms():
        used = (values(i) ** int(k) for i, k in enumerate(powers) if k)
        total = total + math.prod(used, start=1) * number(c)
    return total
