"""Derivatives, substitutions and intervals against plain floating-point functions."""

import math
from fractions import Fraction

import pytest

pytest.importorskip("flint")

from ffnn_jax.proof.algebra import Field, derivative, interval, substitute
from ffnn_jax.proof.algebra._functions import erf, exp, log, root

FIELD = Field(2)
X, Y = map(FIELD.generator, range(2))
POINT = {0: Fraction(3, 4), 1: Fraction(-5, 4)}
CASES = {
    "a quotient": (X**2 / (1 + Y**2), lambda x, y: x**2 / (1 + y**2)),
    "exp": (exp(X * Y) / (1 + exp(X)), lambda x, y: math.exp(x * y) / (1 + math.exp(x))),
    "exp of a quotient": (exp(X / (1 + Y**2)), lambda x, y: math.exp(x / (1 + y**2))),
    "log": (log(1 + X**2 + exp(Y)), lambda x, y: math.log(1 + x**2 + math.exp(y))),
    "erf": (erf(X - Y**2), lambda x, y: math.erf(x - y**2)),
    "root": (Y / root(1 + X**2), lambda x, y: y / math.sqrt(1 + x**2)),
    "cube root": (root(2 + X + Y, 3), lambda x, y: (2 + x + y) ** (1 / 3)),
    "nested": (root(1 + exp(-erf(X))), lambda x, y: math.sqrt(1 + math.exp(-math.erf(x)))),
}  # fmt: skip


def number(element) -> float:
    return float(interval(element, POINT))


@pytest.mark.parametrize("name", CASES)
def test_an_interval_holds_the_value(name: str):
    element, plain = CASES[name]
    assert number(element) == pytest.approx(plain(*map(float, POINT.values())), rel=1e-14)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("symbol", [0, 1])
def test_a_derivative_is_that_of_the_plain_function(name: str, symbol: int):
    element, plain = CASES[name]
    below, above = ([float(POINT[0]), float(POINT[1])] for _ in range(2))
    below[symbol] -= 1e-5
    above[symbol] += 1e-5
    expected = (plain(*above) - plain(*below)) / 2e-5
    assert number(derivative(element, symbol)) == pytest.approx(expected, rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_a_substitution_is_a_value_elsewhere(name: str):
    element, plain = CASES[name]
    moved = substitute(element, {0: 1 - Y, 1: FIELD.of(Fraction(1, 2))})
    assert number(moved) == pytest.approx(plain(1 - float(POINT[1]), 0.5), rel=1e-14)
