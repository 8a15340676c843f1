"""What is false is never proved, and what is true is never disproved."""

import re
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

pytest.importorskip("flint")

from ffnn_jax.proof import prove_equal, prove_vjp
from ffnn_jax.verify import Rule

ONE, TWO = {"N": 1}, {"N": 2}


def total(x):
    return jnp.sum(x)


def norm(x):
    return jnp.sqrt(jnp.sum(x**2))


def five_at_zero(kept, dz):
    (x,) = kept
    return (jnp.where(norm(x) == 0, 5.0, dz * x / norm(x)),)


def with_rule(function, backward):
    """The function with a backward of (arguments, dz)."""
    op = jax.custom_vjp(function)
    op.defvjp(lambda *args: (function(*args), args), backward)
    return op


def doubled_in_the_call_alone():
    op = jax.custom_vjp(lambda x: 2 * x)
    op.defvjp(lambda x: (x, None), lambda _, dz: (dz,))
    return op


def where_zero(number):
    return lambda x: jnp.where(norm(x) == 0, number, norm(x))


def filled(x):
    return x.at[jnp.array([7])].get(mode="fill", fill_value=1.0)


def always(number):
    return lambda x: jnp.full_like(x, number)


def slope_at_zero(slope):
    return lambda kept, dz: (jnp.where(kept[0] == 0, slope * dz, 0 * dz),)


def cancelling(x):
    return jnp.abs(2 * x) - 2 * jnp.abs(x)


FALSE_EQUALITIES = {
    "places": (jnp.argmax, jnp.argmin, "N"),
    "comparisons": (lambda x: x > 0, lambda x: x < 0, "N"),
    "a root of zero": (lambda x: x * jnp.sqrt(0.0), lambda x: x, "N"),
    "a root of a negative number": (lambda x: x * jnp.sqrt(-4.0), lambda x: 2 * x, "N"),
    "a cube root": (lambda x: x * jnp.cbrt(-8.0), lambda x: 2 * x, "N"),
    "a root in a tie": (
        lambda x: jnp.where(x == 3, jnp.sqrt((x - 3) ** 2), 1.0), always(1.0), "N",
    ),
    "a root that is zero": (where_zero(1.0), norm, "N"),
    "a root above zero": (lambda x: jnp.where(jnp.sqrt(x) > 0, 1.0, 0.0), always(1.0), "N"),
    "a negative cube root": (lambda x: jnp.abs(jnp.cbrt(x)), jnp.cbrt, "N"),
    "the log of a square": (lambda x: jnp.exp(0.5 * jnp.log(x * x)), lambda x: x, "N"),
    "a power of a square": (lambda x, y: (x * x) ** (y / 2), lambda x, y: x**y, "N", "N"),
    "a filled entry": (filled, lambda x: x[:1], "N"),
    "a permutation": (lambda x, p: x[p], lambda x, p: x[::-1], "N", "N:perm"),
    "complex numbers": (lambda z: z * 1j, lambda z: 0 * z, "N:complex"),
    "the sign of zero": (lambda x: jnp.where(x >= 0, 1.0, -1.0), jnp.sign, "N"),
    "a pole": (
        lambda x: jnp.where(1 / x > 5, 1.0, 0.0),
        lambda x: jnp.where((x > 0) & (x < 0.2), 1.0, 0.0), "N",
    ),
    "a comparison with NaN": (lambda x: jnp.where(x == jnp.nan, 1.0, 2.0), always(1.0), "N"),
}  # fmt: skip
TRUE_EQUALITIES = {
    "places": (jnp.argmax, lambda x: jnp.argmin(-x), "N"),
    "the log of a square": (lambda x: jnp.exp(0.5 * jnp.log(x * x)), jnp.abs, "N"),
    "a domain": (jnp.abs, lambda x: x, "N:>0"),
    "an interval": (lambda x: jnp.clip(x, 0, 1), lambda x: x, "N:(0,1)"),
    "a simplex": (lambda x: x.sum(), lambda x: 1.0 + 0 * x[0], "N:simplex"),
    "sorted": (jnp.max, lambda x: x[-1], "N:sorted"),
    "a rounded constant": (lambda x: x * jnp.log(2 * jnp.pi), lambda x: x * np.log(2 * np.pi), "N"),
    "a sign": (lambda x: jnp.sign(x) + x, lambda x: x + jnp.sign(x), "N"),
    "a place in int32": (
        lambda x: x[lax.argmax(x, 0, jnp.int32) + jnp.int32(0)], lambda x: x.max(), "N",
    ),
    "a permutation": (lambda x, p: x[p].sum(), lambda x, p: x.sum(), "N", "N:perm"),
}  # fmt: skip
FALSE_RULES = {
    "a call that differs": (doubled_in_the_call_alone(), lambda x: x),
    "a norm at zero": (with_rule(norm, five_at_zero), norm),
    "a division by zero": (with_rule(total, lambda kept, dz: (dz * kept[0] / kept[0],)), total),
    "pieces that never meet": (with_rule(cancelling, slope_at_zero(4)), cancelling),
}  # fmt: skip


@pytest.mark.parametrize("name", FALSE_EQUALITIES)
def test_a_false_equality_is_not_proved(name: str):
    first, second, *words = FALSE_EQUALITIES[name]
    assert prove_equal(first, second, *words, sizes=TWO).verdict != "proved"


@pytest.mark.parametrize("name", TRUE_EQUALITIES)
def test_a_true_equality_is_not_disproved(name: str):
    first, second, *words = TRUE_EQUALITIES[name]
    assert prove_equal(first, second, *words, sizes=TWO).verdict != "disproved"


def test_a_counterexample_in_a_simplex_sums_to_1():
    proof = prove_equal(lambda x: x[0], lambda x: 2 * x[1], "N:simplex", sizes=TWO)
    assert proof.verdict == "disproved"
    numbers = re.findall(r"x = \[([^\]]+)\]", proof.reason)[0].split(", ")
    assert sum(map(Fraction, numbers)) == 1


def test_many_true_equalities_are_proved():
    proved = {
        name for name, (f, g, *words) in TRUE_EQUALITIES.items()
        if prove_equal(f, g, *words, sizes=TWO)
    }  # fmt: skip
    assert proved == {
        "places", "a domain", "an interval", "a sign", "a place in int32", "a permutation",
    }  # fmt: skip


@pytest.mark.parametrize("name", FALSE_RULES)
def test_a_wrong_rule_is_not_proved(name: str):
    op, reference = FALSE_RULES[name]
    sizes = TWO if name == "a division by zero" else ONE
    assert prove_vjp(op, reference, "N", sizes=sizes).verdict != "proved"


def test_a_sum_of_many_float32_numbers_is_exact():
    one = with_rule(lambda x: 0 * x[0], lambda kept, dz: (0 * kept[0] + dz,))
    wrong = Rule(one, lambda x: jnp.sum(x), ("30",), dtypes=("float32",))
    assert prove_vjp(wrong).verdict == "disproved"
    zeros = with_rule(lambda x: jnp.mean(x * x), lambda kept, dz: (0 * kept[0],))
    right = with_rule(lambda x: jnp.mean(x * x), lambda kept, dz: (2 * kept[0] * dz / 30,))
    reference = lambda x: jnp.mean(x * x)  # noqa: E731
    assert prove_vjp(Rule(zeros, reference, ("5x6",), dtypes=("float32",))).verdict == "disproved"
    assert prove_vjp(Rule(right, reference, ("5x6",), dtypes=("float32",))).verdict == "proved"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("N", "key"), "is a random key, of which not all can be tried"),
        (("N", "4x4:int<10"), "more than 1000 values of "),
        (("N:complex",), "complex numbers"), (("0",), "an empty array"),
    ],
)  # fmt: skip
def test_what_cannot_be_tried_is_said(words: tuple[str, ...], reason: str):
    proof = prove_equal(lambda x, *_: x, lambda x, *_: x, *words, sizes=TWO)
    assert proof.verdict == "not decided"
    assert reason in proof.reason


def test_integers_that_are_drawn_are_not_all():
    draw = lambda generator: (generator.normal(size=3), np.array(1))  # noqa: E731
    rule = Rule(lambda x, i: x[i], lambda x, i: x[1], draw=draw)
    assert prove_vjp(rule).reason == "i from draw= is one value"


def test_a_counterexample_stays_within_the_bound():
    assert prove_equal(lambda x: jnp.clip(x, -1, 1), lambda x: x, "N", within=1)
    with pytest.raises(ValueError, match=r"^within must be a number above 0, got -1$"):
        prove_equal(lambda x: x, lambda x: x, "N", within=-1)


def test_nothing_to_prove_and_a_stated_backward_are_refused():
    with pytest.raises(ValueError, match=r"so there is nothing to prove$"):
        prove_equal(lambda x: None, lambda x: None, "N")
    with pytest.raises(ValueError, match=r"^the functions must return the same shapes"):
        prove_equal(lambda x: (x, 7 * x), lambda x: x, "N")
    stated = Rule(jnp.round, jnp.round, ("N",), backward=lambda args, dz: (dz,))
    with pytest.raises(ValueError, match=r"^backward: what is stated not to be the derivative"):
        prove_vjp(stated)


def test_the_time_limit_holds_inside_a_case():
    many = lambda x: jnp.sum(jnp.exp(x) * jnp.sum(x) ** 4) ** 2  # noqa: E731
    proof = prove_vjp(many, many, "9", timeout=1)
    assert (proof.verdict, proof.reason) == ("not decided", "out of time")
    assert proof.seconds < 30
