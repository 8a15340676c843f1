"""Draws of different sizes, with right results; what a factor may be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue.diagnosis._draws import draw_sets, results
from ffnn_jax.verify import Rule
from tests.verify.toys import correct_backward, custom_vjp_of, reference_product

OP = custom_vjp_of(correct_backward)
RULE = Rule(OP, reference_product, ("NxD", "DxK"), batch="N")


def test_two_draws_at_each_of_two_sets_of_different_sizes_then_equal_ones(x64):
    different, but_batch, equal = draw_sets(RULE, 0)
    sizes = [tuple(draw.sizes.values()) for draw in different]
    assert sizes[0] == sizes[1] != sizes[2] == sizes[3]
    assert all(len({*each}) == 3 for each in sizes)
    assert [len({*draw.sizes.values()}) for draw in but_batch + equal] == [2, 2, 1, 1]
    assert not np.array_equal(different[0].args["x"], different[1].args["x"])


def test_the_right_results_are_the_references_or_else_of_the_forward(x64):
    wrong = custom_vjp_of(lambda residuals, dz: (0 * residuals[0], 0 * residuals[1]))
    for rule in (RULE, Rule(wrong, None, ("NxD", "DxK"))):
        draw = next(draw_sets(rule, 0))[0]
        (x, w), (dz,) = draw.args.values(), draw.dz.values()
        for name, expected in {"z": x @ w, "dx": dz @ w.T, "dw": x.T @ dz}.items():
            np.testing.assert_allclose(draw.right[name], expected, rtol=1e-9, atol=1e-12)


def test_results_of_a_rule_and_none_where_it_raises(x64):
    draw = next(draw_sets(RULE, 0))[0]
    np.testing.assert_allclose((results(RULE, draw) or {})["dw"], draw.right["dw"], rtol=1e-9)
    mixes = custom_vjp_of(lambda residuals, dz: (dz @ residuals[1], residuals[0].T @ dz))
    assert results(Rule(mixes, reference_product, ("NxD", "DxK")), draw) is None


def test_what_a_factor_may_be(x64):
    scales = next(draw_sets(RULE, 0))[0].scales
    assert (scales["the batch size"], scales["the size of D"], scales["the size of K"]) == (3, 4, 5)
    assert scales["the size of D times the size of K"] == 20
    fixed = next(draw_sets(Rule(jnp.sin, jnp.sin, ("4x7",)), 0))[0]
    assert fixed.scales["the size of axis 1 of x"] == 7


def test_a_rule_without_a_reference_that_cannot_be_traced_has_no_draws(x64):
    def hidden(x):
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    assert list(draw_sets(Rule(hidden, None, ("N",)), 0)) == [[], [], []]


def test_of_a_rule_with_many_numbers_there_are_no_draws(x64):
    assert list(draw_sets(Rule(jnp.sin, None, ("200x200",)), 0)) == [[], [], []]


@pytest.mark.parametrize("text", ["int<K", "int<7"])
def test_the_bounds_of_integers(text, x64):
    draw = next(draw_sets(Rule(lambda x, y: x, None, ("NxK", f"N:{text}")), 0))[0]
    assert draw.bounds == {"y": draw.sizes["K"] if text == "int<K" else 7}
