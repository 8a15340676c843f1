"""Elements are equal if and only if they are the same function, as far as the field's laws go."""

from fractions import Fraction

import pytest

pytest.importorskip("flint")

from ffnn_jax.proof.algebra._field import Field, UndecidedError
from ffnn_jax.proof.algebra._functions import erf, exact, exp, inverse_root_of_pi, log, root

FIELD = Field(3)
X, Y, Z = map(FIELD.generator, range(3))
ONE = FIELD.of(1)
EQUAL = {
    "a common factor": ((X**2 - Y**2) / (X - Y), X + Y),
    "fractions": (X / Y + Y / X, (X**2 + Y**2) / (X * Y)),
    "a sum of exponents": (exp(X + 2 * Y - 3), exp(X) * exp(Y) ** 2 / exp(3 * ONE)),
    "half an exponent": (exp(X / 2) ** 2, exp(X)),
    "an exponential then its half": (exp(3 * Y) ** 2, exp(Y / 2) ** 12),
    "exp of log": (exp(2 * log(X + 1) + Y), (X + 1) ** 2 * exp(Y)),
    "log of exp": (log(1 + exp(-X)), log(1 + exp(X)) - X),
    "log of a product": (log(exp(X) * (Y**2 + 1) ** 3), X + 3 * log(1 + Y**2)),
    "exp of half a log": (exp(log(X) / 2), root(X)),
    "a root of zero": (root(FIELD.zero), FIELD.zero),
    "a cube root of a negative number": (root(FIELD.of(-8), 3), FIELD.of(-2)),
    "log of 1": (log(ONE), FIELD.zero),
    "a root": (root(X**2 + 1) ** 3, (X**2 + 1) * root(1 + X**2)),
    "a root in a denominator": (1 / root(X + 1), root(X + 1) / (X + 1)),
    "roots of roots": (root(1 + root(X)) ** 4, 1 + 2 * root(X) + X),
    "a root of a fraction": (root(FIELD.of(Fraction(8, 9))), 2 * root(FIELD.of(2)) / 3),
    "a cube root": (root(FIELD.of(54), 3), 3 * root(FIELD.of(2), 3)),
    "erf is odd": (erf(X - Y), -erf(Y - X)),
}  # fmt: skip
DIFFERENT = {
    "products": (X * Y, X * Z), "exponentials": (exp(X) + 1, exp(X + 1)),
    "a shifted root": (root(X**2 + 1), X + 1), "erf": (erf(X), erf(2 * X) / 2),
    "a root of a square": (root(X**2), X), "half a log of a square": (exp(log(X**2) / 2), X),
    "a constant": (X * Fraction(10001, 10000), X),
}  # fmt: skip


@pytest.mark.parametrize("name", EQUAL)
def test_equal_functions_have_difference_zero(name: str):
    first, second = EQUAL[name]
    assert (first - second).is_zero


@pytest.mark.parametrize("name", DIFFERENT)
def test_different_functions_do_not(name: str):
    first, second = DIFFERENT[name]
    assert not (first - second).is_zero


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1, FIELD.of(Fraction(1, 10))), (1 / 3, FIELD.of(Fraction(1, 3))),
        (1e-5, FIELD.of(Fraction(1, 100_000))), (2**0.5, root(FIELD.of(2))),
        (0.7071067811865476, 1 / root(FIELD.of(2))),
        (0.7978845608028654, root(FIELD.of(2)) * inverse_root_of_pi(FIELD)),
        (2.5066282746310002, root(FIELD.of(2)) / inverse_root_of_pi(FIELD)),
        (1.0507009873554805, FIELD.of(Fraction("1.0507009873554805"))),
    ],
)  # fmt: skip
def test_a_float_stands_for_the_number_that_it_is_nearest_to(value, expected):
    assert (exact(FIELD, value) - expected).is_zero


def test_division_by_zero_and_infinity_are_not_decided():
    with pytest.raises(UndecidedError, match="division by zero"):
        X / (Y - Y)
    with pytest.raises(UndecidedError, match="arithmetic with inf"):
        X + float("inf")


def test_a_field_holds_so_many_functions():
    field = Field(1)
    with pytest.raises(UndecidedError, match="more than 64 functions"):
        for power in range(1, 70):
            exp(field.generator(0) ** power)
