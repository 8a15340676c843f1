"""Arguments and outputs that are not one array of text: pytrees, statics, keys, complex, draw."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import sparse

from ffnn_jax.verify import Kink, Rule, Static, check_vjp
from tests.verify import structures, toys
from tests.verify.running import IN_PROCESS

PARAMS = {"w": "DxK", "b": "K"}
AFFINE = structures.reference_affine, PARAMS, "NxD"
MAIN = ("value", "cotangents", "differences")


def test_a_dict_of_arguments_passes_every_check():
    rule = Rule(structures.affine, AFFINE[0], AFFINE[1:], batch="N", linear=(0, 1), exact=True)
    result = check_vjp(rule, only=IN_PROCESS)
    assert result, str(result)
    assert {"adjoint", "exact"} < {row.name for row in result.checks}


def test_a_wrong_cotangent_is_named_by_its_place_in_the_dict():
    sizes = [{"D": 2, "K": 4, "N": 3}]
    result = check_vjp(structures.averaging_affine, *AFFINE, sizes=sizes, only=MAIN)
    assert result.failures == ("cotangents", "differences")
    assert result["cotangents"].where.startswith("dparams['b'][")
    assert "the ratio is 0.333333 everywhere" in result.details[0]


def test_a_named_tuple_of_outputs_passes_every_check():
    assert check_vjp(structures.scores, structures.reference_scores, "NxD", only=IN_PROCESS)


def test_one_of_several_outputs_is_named_by_its_place():
    def wrong(x):
        total, rows = structures.reference_scores(x)
        return structures.Scores(total, rows.at[1].multiply(1.01))

    result = check_vjp(wrong, structures.reference_scores, "NxD", only=["value"])
    assert result["value"].where == "z.rows[1] at N=3 D=4"


def test_outputs_of_another_structure_are_an_error_or_a_failure():
    as_list = check_vjp(lambda x: [x, x], lambda x: (x, x), "N", only=["value"])
    assert not as_list
    assert "output shape" in as_list.checks[0].note


def test_lists_and_single_leaves_hold_any_mixture():
    def total(parts, scale):
        return sum(p["x"].sum() for p in parts) * scale

    assert check_vjp(total, total, [{"x": "N"}, {"x": "NxD"}], "", only=MAIN)


def test_every_check_supports_several_outputs():
    kink = Kink("ones", (np.ones((1, 1)), np.ones(1)), (np.full((1, 1), 3.0), np.full(1, 5.0)),
                (np.full((1, 1), 13.0), np.full(1, 3.0)))  # fmt: skip
    rule = Rule(
        toys.weighted, toys.reference_weighted, ("NxD", "D"),
        batch="N", reduces="mean", linear=(1,), sizes=[{"N": 3, "D": 4}], kinks=(kink,),
    )  # fmt: skip
    result = check_vjp(rule)
    assert result, str(result)
    assert set(result.not_asked) == {"exact", "empty batch", "jvp"}


def test_concrete_arrays_are_used_as_they_are():
    """A rule that is wrong at these arrays alone, and one that is wrong close to them alone."""
    point = np.array([1.0, 2.0, 3.0])

    def slope(at_the_point, x):
        here = jnp.all(x == jnp.asarray(point, x.dtype))
        return jnp.where(here == at_the_point, 2.0, 1.0) / x

    for at_the_point in (True, False):
        op = toys.unary(jnp.log, functools.partial(slope, at_the_point))
        assert check_vjp(op, jnp.log, point, only=["cotangents"]).failures == ("cotangents",)
    assert check_vjp(toys.unary(jnp.log, lambda x: 1 / x), jnp.log, point, only=IN_PROCESS)


def test_a_sparse_matrix_stays_one():
    matrix = sparse.BCOO.fromdense(jnp.array([[1.0, 0, 2], [0, 3, 0]]))

    def apply(m, x):
        assert isinstance(m, sparse.BCOO)
        return m @ x

    result = check_vjp(apply, apply, matrix, "3", only=MAIN)
    assert result, str(result)


def test_masks_and_integers_given_as_arrays_are_kept():
    mask, rows = np.array([True, False, True]), np.array([2, 0, 2])

    def chosen(x, mask, rows):
        return jnp.where(mask, x, 0)[rows]

    op = jax.custom_vjp(chosen)
    op.defvjp(
        lambda x, mask, rows: (chosen(x, mask, rows), (mask, rows)),
        lambda kept, dz: (jnp.stack([dz[1], 0 * dz[0], dz[0] + dz[2]]), None, None),
    )
    assert check_vjp(op, chosen, "3", mask, rows, only=[*MAIN, "vmap"])


@pytest.mark.parametrize(("factor", "failures"), [(1, ()), (2, ("cotangents", "differences"))])
def test_a_static_argument_may_come_first(factor, failures):
    op = structures.power_with(lambda n, x: factor * n * x ** (n - 1))
    asked = IN_PROCESS if factor == 1 else MAIN
    assert check_vjp(op, structures.reference_power, 3, "N", only=asked).failures == failures


def test_functions_none_and_strings_are_static():
    def apply(f, x, options, mode):
        assert options == {"scale": 2, "offset": None}
        return f(x) * options["scale"] * (2 if mode == "same" else 3)

    options = {"scale": 2, "offset": None}
    result = check_vjp(apply, apply, jnp.sin, "N", options, Static("same"), only=MAIN)
    assert result, str(result)
    inside = check_vjp(lambda d: jnp.sin(d["x"]), lambda d: jnp.sin(d["x"]),
                       {"x": "N", "mode": Static("same")}, only=MAIN)  # fmt: skip
    assert inside


@pytest.mark.parametrize("key", ["key", jax.random.key(3)], ids=["drawn", "given"])
@pytest.mark.parametrize(("factor", "failures"), [(2, ()), (3, ("cotangents", "differences"))])
def test_a_key_draws_the_same_sample_in_each_row(key, factor, failures):
    op, asked = structures.dropout_with(factor), [*MAIN, "scan"] + ["float32"] * (factor == 2)
    result = check_vjp(op, structures.reference_dropout, key, "N", only=asked)
    assert result.failures == failures, str(result)


@pytest.mark.parametrize(
    ("pullback", "failures"),
    [
        (lambda z, dz: 2 * z * dz, ()),
        (lambda z, dz: 2 * jnp.conj(z) * dz, ("cotangents", "differences")),
    ],
    ids=["right", "conjugated"],
)
def test_complex_numbers_follow_the_convention_of_jax(pullback, failures):
    asked = MAIN if failures else IN_PROCESS
    op = structures.complex_with(pullback)
    result = check_vjp(op, structures.reference_phase, "N:complex", only=asked)
    assert result.failures == failures, str(result)


def test_integers_have_no_cotangent():
    op, reference = structures.look_up, structures.reference_look_up
    result = check_vjp(op, reference, "NxD", "K:int<N", only=["cotangents", "vmap", "float32"])
    assert result
    assert result["cotangents"].where.startswith("dtable")
    wrong = structures.overwriting_look_up
    assert not check_vjp(wrong, reference, "3x2", "9:int<3", only=["cotangents"])


def test_all_arguments_can_be_drawn_together():
    """Bounds in order, as no description of a single argument can say."""

    def width(low, high):
        return jnp.log(high - low)

    def draw(generator, sizes):
        low = generator.normal(size=sizes.get("N", 4))
        return low, low + 0.5 + generator.random(low.shape)

    op = jax.custom_vjp(width)
    op.defvjp(
        lambda low, high: (width(low, high), 1 / (high - low)), lambda r, dz: (-r * dz, r * dz)
    )
    result = check_vjp(op, width, draw=draw, only=IN_PROCESS)
    assert result, str(result)
    assert not check_vjp(op, width, "N", "N", only=MAIN)
    assert check_vjp(op, width, draw=lambda generator: draw(generator, {}), only=["cotangents"])


def test_draws_of_changing_structure_are_rejected():
    def draw(generator):
        return [generator.normal(size=2)] * int(generator.integers(1, 4))

    with pytest.raises(ValueError, match=r"same structure in every draw|cannot be called"):
        check_vjp(lambda *x: sum(x), lambda *x: sum(x), draw=draw, only=["value"])
