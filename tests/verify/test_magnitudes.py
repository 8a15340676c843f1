"""Faults far from ordinary numbers, and draws outside the domain."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.verify import Rule, check_vjp
from ffnn_jax.verify._subject import Subject, _around
from tests.verify import toys
from tests.verify.running import SMALL

BASIC = ("value", "cotangents", "differences")


def wrong_beyond(limit):
    return lambda x: jnp.where(jnp.abs(x) > limit, 0.5 * jnp.cos(x), jnp.cos(x))


@pytest.mark.parametrize("limit", [6, 30, 300, 3000])
@pytest.mark.parametrize("reference", [jnp.sin, None], ids=["reference", "no reference"])
def test_a_branch_that_is_wrong_far_from_0_is_caught(limit, reference):
    op = toys.unary(jnp.sin, wrong_beyond(limit))
    result = check_vjp(op, reference, "N", only=[*BASIC, "magnitudes"])
    assert result.failures == ("magnitudes",)


@pytest.mark.parametrize("reference", [jnp.sin, None], ids=["reference", "no reference"])
def test_the_right_rule_passes_at_all_magnitudes(reference):
    op = toys.unary(jnp.sin, jnp.cos)
    assert check_vjp(op, reference, "N", only=["magnitudes", "float32"])


def test_tanh_that_saturates_too_early_is_caught():
    slope = lambda x: jnp.where(jnp.abs(x) > 6, 0.0, toys.tanh_slope(x))  # noqa: E731
    result = check_vjp(toys.unary(jnp.tanh, slope), jnp.tanh, "NxD", only=[*BASIC, "magnitudes"])
    assert result.failures == ("magnitudes",)


def test_a_slope_that_is_wrong_near_0_only_is_caught():
    slope = lambda x: jnp.where(jnp.abs(x) < 1e-4, 0.0, jnp.cos(x))  # noqa: E731
    result = check_vjp(toys.unary(jnp.sin, slope), jnp.sin, "N", only=[*BASIC, "magnitudes"])
    assert result.failures == ("magnitudes",)


def test_a_single_huge_entry_is_among_the_draws():
    """Wrong only where one entry is far larger than the others."""

    def slope(x):
        ratio = jnp.max(jnp.abs(x)) / (jnp.sort(jnp.abs(x))[-2] + 1e-30)
        return jnp.where(ratio > 1000, 2.0, 1.0) * jnp.cos(x)

    result = check_vjp(toys.unary(jnp.sin, slope), jnp.sin, "4", only=[*BASIC, "magnitudes"])
    assert result.failures == ("magnitudes",)


def naive_logsumexp(x):
    return jnp.log(jnp.sum(jnp.exp(x)))


def safe_logsumexp(x):
    return jax.nn.logsumexp(x)


def naive_softmax(x):
    return jnp.exp(x) / jnp.sum(jnp.exp(x))


def test_an_overflow_is_caught_in_float32_and_in_float64():
    op = toys.unary(naive_logsumexp, naive_softmax)
    asked = [*BASIC, "magnitudes", "float32"]
    assert check_vjp(op, jax.nn.logsumexp, "N", only=asked).failures == ("magnitudes", "float32")
    right = toys.unary(safe_logsumexp, jax.nn.softmax)
    assert check_vjp(right, jax.nn.logsumexp, "N", only=asked)


def test_the_overflow_of_the_reference_excuses_nothing():
    """In float32 both overflow; only the operation in float64 is right."""
    op = toys.unary(naive_logsumexp, naive_softmax)
    asked = ["magnitudes", "float32"]
    assert check_vjp(op, naive_logsumexp, "N", only=asked).failures == ("float32",)
    right = toys.unary(safe_logsumexp, jax.nn.softmax)
    assert check_vjp(right, naive_logsumexp, "N", only=asked)


def test_float16_says_which_magnitudes_it_cannot_hold():
    square = toys.unary(lambda x: x * x, lambda x: 2 * x)
    row = check_vjp(square, lambda x: x * x, "N", only=["magnitudes", "float16"])["float16"]
    assert row.passed
    scales = row.note.partition("cannot hold scale ")[2].split(", ")
    assert "10000" in scales
    assert "10" not in scales


def test_bfloat16_holds_all_of_them():
    result = check_vjp(toys.unary(jnp.sin, jnp.cos), jnp.sin, "N", only=["magnitudes", "bfloat16"])
    assert result
    assert "cannot hold" not in result["bfloat16"].note


def test_draws_outside_the_domain_are_counted_and_never_ok():
    root = toys.unary(jnp.sqrt, lambda x: 0.5 / jnp.sqrt(x))
    result = check_vjp(root, jnp.sqrt, "N")
    assert not result
    assert [row.name for row in result.checks] == ["value"]
    assert "outside the domain: the reference is not finite in" in result.checks[0].note
    assert "% of draws" in result.checks[0].note
    assert check_vjp(root, jnp.sqrt, "N:>0", only=[*BASIC, "magnitudes", "float32"])


def test_an_operation_without_a_reference_outside_its_domain_is_never_ok():
    result = check_vjp(toys.unary(jnp.sqrt, lambda x: 0.5 / jnp.sqrt(x)), None, "N")
    assert "the operation is not finite" in result.checks[0].note
    assert not result


def test_without_magnitudes_the_other_checks_stay_at_ordinary_arguments():
    op = toys.unary(naive_logsumexp, naive_softmax)
    assert check_vjp(op, safe_logsumexp, "N", only=["cotangents", "float32", "grad of grad"])


def test_magnitudes_of_every_argument_are_mixed():
    rule, sizes = Rule(toys.product, None, ("NxD", "DxK")), {"N": 3, "D": 4, "K": 5}
    names = [name for name, _ in Subject.of(rule, sizes).scaled_draws(sizes, 0)]
    assert {"scale 1e-06", "scale 10000", "mixed scales", "one huge entry"} < set(names)
    assert "one argument at 10000" in names


def test_one_argument_at_a_time_is_very_small_or_very_large():
    rule, sizes = Rule(toys.product, toys.reference_product, ("NxD", "DxK")), SMALL[0]
    alone = [
        (float(name.split()[-1]), [float(jnp.abs(a).mean()) for a in args])
        for name, args in Subject.of(rule, sizes).scaled_draws(sizes, 0)
        if name.startswith("one argument at ")
    ]
    assert [scale for scale, _ in alone] == [1e-6, 1e4] * 2
    for k, (scale, (x, w)) in enumerate(alone):
        small, usual = (x, w) if k < 2 else (w, x)
        assert 0.1 * scale < small < 10 * scale
        assert 0.1 < usual < 10


@pytest.mark.parametrize("shape", [(3,), (4, 4), (4, 3), (2, 3, 3), (3, 2, 3)])
def test_near_an_array_a_symmetric_matrix_stays_symmetric(shape):
    array = np.random.default_rng(0).normal(size=shape)
    square = len(shape) > 1 and shape[-1] == shape[-2]
    if square:
        array = array + np.swapaxes(array, -1, -2)
    near = _around(np.random.default_rng(1), array)
    assert 0 < np.abs(near / array - 1).max() < 0.1
    assert not square or np.array_equal(near, np.swapaxes(near, -1, -2))
