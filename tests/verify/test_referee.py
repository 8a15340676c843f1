"""Where rule and reference differ at extreme arguments, a difference quotient decides."""

import numpy as np
import pytest

from ffnn_jax.verify._differences import sides_with_the_rule
from ffnn_jax.verify._result import Check, Part

X = np.array([3.0, 5.0])
RIGHT, WRONG = 2 * X, 3 * X


def row(got, expected):
    return Check("magnitudes", False, parts=(Part("dx", got, expected, got != expected),))


@pytest.mark.parametrize(
    ("got", "expected", "sides"), [(RIGHT, WRONG, True), (WRONG, RIGHT, False)]
)
def test_it_sides_with_whoever_is_right(got, expected, sides):
    def value(arrays):
        return float(np.sum(arrays[0] ** 2))

    assert sides_with_the_rule(value, [X], {"dx": 0}, row(got, expected)) == sides


def test_a_quotient_that_rounding_hides_decides_nothing():
    """Near 1e10, a slope of 1e-9 moves no bit, and the quotient of 0 proves nothing."""

    def value(arrays):
        return 1e10 + 1e-9 * float(np.sum(arrays[0]))

    assert not sides_with_the_rule(value, [X], {"dx": 0}, row(0 * X, np.full(2, 1e-9)))


def test_a_difference_in_the_value_is_never_excused():
    assert not sides_with_the_rule(lambda arrays: 0.0, [X], {"dx": 0}, Check(
        "magnitudes", False, parts=(Part("z", X, RIGHT, X != RIGHT),)
    ))  # fmt: skip
