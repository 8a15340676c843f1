"""Declared points where the derivative is a convention."""

import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.verify import Kink, check_vjp
from tests.verify import toys
from tests.verify.running import IN_PROCESS

KINKED = [
    Kink("zero", (np.zeros(3),), np.arange(1.0, 4), (np.zeros(3),)),
    Kink("one", (np.ones(3),), np.arange(1.0, 4), (np.arange(1.0, 4),)),
]


def absolute_with(slope_at_0, value_at_0=0.0):
    def value(x):
        return jnp.where(x == 0, value_at_0, jnp.abs(x))

    return toys.unary(value, lambda x: jnp.where(x == 0, slope_at_0, jnp.sign(x)))


@pytest.mark.parametrize(("slope", "failures"), [(0.0, ()), (0.5, ("kinks",)), (1.0, ("kinks",))])
def test_a_convention_at_a_kink_must_be_met(slope, failures):
    only = IN_PROCESS if slope in (0.0, 0.5) else ["kinks"]
    result = check_vjp(absolute_with(slope), toys.absolute, "N", kinks=KINKED, only=only)
    assert result.failures == failures


@pytest.mark.parametrize(("rtol", "passed"), [(1e-12, True), (0.0, False)])
def test_a_kink_is_met_to_its_tolerance(rtol, passed):
    """A right slope that rounding moved, and one that is off by more."""
    third = np.full(3, 1 / 3)
    kink = Kink("zero", (np.zeros(3),), np.ones(3), (third,), rtol=rtol)
    moved = absolute_with(np.nextafter(1 / 3, 1))
    assert bool(check_vjp(moved, toys.absolute, "N", kinks=[kink], only=["kinks"])) is passed
    off = absolute_with(1 / 3 + 1e-9)
    assert not check_vjp(off, toys.absolute, "N", kinks=[kink], only=["kinks"])


def test_the_value_at_a_kink_is_the_references():
    wrong = absolute_with(0.0, value_at_0=1.0)
    result = check_vjp(wrong, toys.absolute, "N", kinks=KINKED, only=["value", "kinks"])
    assert result.failures == ("kinks",)
    assert result["kinks"].where == "z[0] at zero"


@pytest.mark.parametrize(("stated", "failures"), [(1.0, ()), (2.0, ("kinks",))])
def test_the_value_at_a_kink_can_be_a_convention_too(stated, failures):
    point, dz = np.zeros(3), np.ones(3)
    kink = Kink("zero", (point,), dz, (point,), value=np.full(3, stated))
    op = absolute_with(0.0, value_at_0=1.0)
    assert check_vjp(op, toys.absolute, "N", kinks=[kink], only=["kinks"]).failures == failures


@pytest.mark.parametrize(("expected", "failures"), [(np.nan, ("kinks",)), (0.0, ())])
def test_nan_is_met_at_a_declared_point_only_if_it_is_stated(expected, failures):
    kink = Kink("zero", (np.zeros(3),), np.ones(3), (np.full(3, expected),))
    result = check_vjp(absolute_with(0.0), toys.absolute, "N", kinks=[kink], only=["kinks"])
    assert result.failures == failures
    undefined = check_vjp(absolute_with(np.nan), toys.absolute, "N", kinks=[kink], only=["kinks"])
    assert undefined.failures == (() if np.isnan(expected) else ("kinks",))


def test_every_tie_kept_in_the_value_is_caught_at_a_declared_tie():
    """The derivative is right at the tie; the value counts the maximum twice."""

    def keep_ties(x):
        return jnp.sum(jnp.where(x == x.max(), x, 0.0))

    def first(x):
        return jnp.where(jnp.arange(len(x)) == jnp.argmax(x), 1.0, 0.0)

    tie = Kink("tie", (np.array([2.0, 2.0, 1.0]),), np.ones(()), (np.array([1.0, 0.0, 0.0]),))
    op = toys.unary(keep_ties, first)
    result = check_vjp(op, jnp.max, "3", kinks=[tie], only=["value", "cotangents", "kinks"])
    assert result.failures == ("kinks",)
    assert result["kinks"].where == "z at tie"
