import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.verify import CHECKS, Argument, Kink, assert_vjp, check_vjp, sample_sizes
from ffnn_jax.verify._sharded import NAMES
from ffnn_jax.verify._subject import Subject
from ffnn_jax.verify._transforms import check_jit, check_remat, check_scan, check_vmap
from tests.verify import toys

HERE = [name for name in CHECKS if name not in NAMES]
SIZES = [{"N": 3, "D": 4, "K": 5}, {"N": 10_000, "D": 2, "K": 3}]


def check(op, **settings):
    settings = {
        "batch": "N",
        "linear": (0, 1),
        "exact": True,
        "sizes": SIZES,
        "only": HERE,
    } | settings
    return check_vjp(op, toys.product_plainly, "NxD", "DxK", **settings)


def test_a_right_rule_passes_every_check():
    result = check_vjp(
        toys.product, toys.product_plainly, "NxD", "DxK",
        batch="N", linear=(0, 1), exact=True, empty_batch=True, sizes=SIZES[:1],
        kinks=[Kink("ones", (np.ones((1, 1)),) * 2, np.ones((1, 1)), (np.ones((1, 1)),) * 2)],
    )  # fmt: skip
    assert result.passed
    assert [row.name for row in result.checks] == list(CHECKS)


@pytest.mark.parametrize(
    ("backward", "some", "never"),
    [
        (toys.scaled, {"cotangents", "differences", "adjoint", "exact"}, {"value", "linearity"}),
        pytest.param(
            toys.drops_the_cotangent,
            {"cotangents", "linearity", "zero"},
            {"value"},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            toys.squares_the_cotangent,
            {"cotangents", "linearity"},
            {"value", "zero"},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_wrong_rule_fails_the_checks_that_see_it(backward, some, never):
    failures = set(check(toys.wired(backward), sizes=SIZES[:1]).failures)
    assert some <= failures
    assert not never & failures


@pytest.mark.parametrize(
    ("backward", "failures"),
    [
        (toys.cut_off_from_its_arguments, ("grad of grad",)),
        pytest.param(toys.returns_float32, ("bfloat16", "float16"), marks=pytest.mark.slow),
        pytest.param(
            toys.adds_up_in_half_precision, ("bfloat16", "float16"), marks=pytest.mark.slow
        ),
        (toys.differs_when_compiled, ("jit",)),
    ],
)
def test_a_fault_that_one_check_alone_can_see_fails_that_check_alone(backward, failures):
    assert check(toys.wired(backward)).failures == failures


def test_a_wrong_value_fails_the_value():
    wrong = toys.wired(toys.right, lambda x, w: (1.001 * (x @ w), (x, w)))
    result = check(wrong, sizes=SIZES[:1], only=["value", "cotangents", "linearity"])
    assert result.failures == ("value",)


def test_a_value_that_is_not_the_forwards_fails_the_value():
    """What is computed where nothing is differentiated is a function of its own."""
    drifted = jax.custom_vjp(lambda x, w: 1.001 * (x @ w))
    drifted.defvjp(toys.forward, toys.right)
    result = check(drifted, sizes=SIZES[:1], only=["value", "cotangents"])
    assert result.failures == ("value",)


@pytest.mark.parametrize("transformed", [check_jit, check_vmap, check_scan, check_remat])
def test_each_transformation_is_compared_with_the_compiled_rule(transformed):
    """The compiled rule is right and the operation wrong, as if the transformation broke it."""
    arguments = Argument.parse("NxD"), Argument.parse("DxK")
    good = Subject(toys.product, toys.product_plainly, arguments)
    bad = Subject(toys.wired(toys.scaled), toys.product_plainly, arguments)
    with jax.enable_x64(True):
        bad.__dict__["pull"] = good.pull
        assert transformed(good, SIZES[0], 0).passed
        result = transformed(bad, SIZES[0], 0)
    assert not result.passed
    assert "dw" in result.where


def test_a_failure_names_argument_and_index():
    def one_entry(residuals, dz):
        dx, dw = toys.right(residuals, dz)
        return dx, dw.at[2, 1].multiply(1.01)

    row = check(toys.wired(one_entry), only=["cotangents"], sizes=SIZES[:1])["cotangents"]
    assert row.where.startswith(("dw[2, 1]", "darg1[2, 1]"))
    assert row.where.endswith("N=3 D=4 K=5")
    assert row.worst > row.allowed > 0


def test_nan_is_an_error_and_not_a_pass():
    def nan(residuals, dz):
        dx, dw = toys.right(residuals, dz)
        return dx * jnp.nan, dw

    result = check(toys.wired(nan), only=["cotangents"], sizes=SIZES[:1])
    assert result["cotangents"].worst == np.inf


KINKED = [
    Kink("zero", (np.zeros(3),), np.arange(1.0, 4), (np.zeros(3),)),
    Kink("one", (np.ones(3),), np.arange(1.0, 4), (np.arange(1.0, 4),)),
]


@pytest.mark.parametrize(("slope", "failures"), [(0.0, ()), (0.5, ("kinks",)), (1.0, ("kinks",))])
def test_a_convention_at_a_kink_is_held_to_exactly(slope, failures):
    op = jax.custom_vjp(lambda x: jnp.abs(x))
    op.defvjp(
        lambda x: (jnp.abs(x), x), lambda x, dz: (jnp.where(x == 0, slope, jnp.sign(x)) * dz,)
    )
    result = check_vjp(op, toys.absolute, "N", kinks=KINKED, only=HERE)
    assert result.failures == failures


@pytest.mark.parametrize(
    ("op", "reduces", "failures"),
    [
        (toys.mean_loss, "mean", ()),
        (toys.mean_loss, "sum", ("shard_map",)),
        (toys.centred, "sum", ("shard_map",)),
    ],
)
def test_shares_of_a_batch_are_put_together_as_declared(op, reduces, failures):
    result = check_vjp(op, op, "NxD", batch="N", reduces=reduces, only=NAMES)
    assert [row.name for row in result.checks] == list(NAMES)
    assert result.failures == failures


def test_members_that_depend_on_one_another_are_sharded_and_not_shared_out():
    result = check_vjp(toys.centred, toys.centred, "NxD", batch="N", reduces="mixed", only=NAMES)
    assert [row.name for row in result.checks] == ["sharded"]
    assert result


WEIGHED: dict[str, Any] = {
    "batch": "N",
    "reduces": "mean",
    "linear": (1,),
    "sizes": [{"N": 3, "D": 4}],
}


def test_every_check_takes_several_outputs():
    kink = Kink("ones", (np.ones((1, 1)), np.ones(1)), (np.full((1, 1), 3.0), np.full(1, 5.0)),
                (np.full((1, 1), 13.0), np.full(1, 3.0)))  # fmt: skip
    result = check_vjp(toys.weighed, toys.weighed_plainly, "NxD", "D", kinks=[kink], **WEIGHED)
    assert result, str(result)
    assert {*CHECKS} - {row.name for row in result.checks} == {"empty batch", "exact"}


@pytest.mark.parametrize(
    ("forward", "backward", "failures"),
    [
        pytest.param(
            toys.weighed_forward,
            toys.forgets_the_second_output,
            {"cotangents", "differences", "grad of grad", "float32", "bfloat16"},
            marks=pytest.mark.slow,
        ),
        (toys.squares_added_in_half_precision, toys.weighed_backward, {"bfloat16"}),
    ],
)
def test_a_fault_of_one_output_of_several_is_seen(forward, backward, failures):
    settings = WEIGHED | {
        "sizes": [{"N": 3, "D": 4}, {"N": 3000, "D": 2}],
        "only": [name for name in HERE if name != "float16"],
    }
    wrong = toys.wired(backward, forward)
    result = check_vjp(wrong, toys.weighed_plainly, "NxD", "D", **settings)
    assert set(result.failures) == failures


def test_an_output_of_several_is_named_by_its_place():
    def forward(x, w):
        (z, squares), residuals = toys.weighed_forward(x, w)
        return (z, squares.at[2].multiply(1.01)), residuals

    wrong = toys.wired(toys.weighed_backward, forward)
    result = check_vjp(wrong, toys.weighed_plainly, "NxD", "D", only=["value"], **WEIGHED)
    assert result["value"].where == "z[1][2] at N=3 D=4"


def test_a_function_that_cannot_be_imported_is_not_checked_over_devices():
    result = check(toys.wired(toys.right), only=[*NAMES, "value"])
    assert [row.name for row in result.checks] == ["value"]


def test_autodiffs_own_error_stands_beside_ours_in_narrow_floats():
    notes = [check(toys.product, only=[d], sizes=SIZES[:1])[d].note for d in ("float32", "float16")]
    assert all(note.startswith("autodiff ") and note.endswith(" eps") for note in notes)


def test_outputs_may_be_pytrees_and_arguments_arrays():
    x = np.ones((3, 2), np.float32)
    assert check_vjp(toys.two_outputs, toys.two_outputs, x, only=HERE)


def test_a_forward_that_calls_its_own_operation_is_a_right_rule_too():
    """As in jax's own tutorial; and a rule that scatters to the rows it was given."""
    wide = [name for name in HERE if "float" not in name]
    result = check_vjp(toys.calls_itself, toys.sine_times, "N", "N", only=wide)
    assert [name for name in result.failures if name != "grad of grad"] == []
    assert check_vjp(toys.look_up, toys.look_up_plainly, "NxD", "K:int<N", only=wide)


def test_an_output_of_another_shape_is_told_in_one_row():
    result = check_vjp(lambda x: x[None], toys.absolute, "N")
    assert [row.note for row in result.checks] == ["the output is (1, 3), the reference's is (3,)"]
    assert not result


def test_whole_numbers_have_no_cotangent():
    def pick(x, rows):
        return x[rows]

    result = check_vjp(pick, pick, "NxD", "K:int<N", only=["cotangents", "vmap", "float32"])
    assert result
    assert result["cotangents"].where.startswith("dx")


def test_assert_vjp_raises_with_the_table_and_is_silent_where_all_holds():
    settings = {"only": ["cotangents"], "sizes": SIZES[:1]}
    assert_vjp(toys.product, toys.product_plainly, "NxD", "DxK", **settings)
    with pytest.raises(AssertionError, match=r"cotangents +FAILS .* at N=3 D=4 K=5"):
        assert_vjp(toys.wired(toys.scaled), toys.product_plainly, "NxD", "DxK", **settings)


def test_the_line_again_repeats_the_failures():
    result = check(toys.ignores_its_cotangent, seed=3)
    names = {"check_vjp": check_vjp, **vars(toys)}
    repeated = eval(result.again, names)
    assert repeated.failures == result.failures
    assert [row.worst for row in repeated.checks] == [
        result[name].worst for name in result.failures
    ]


def test_a_different_seed_draws_different_values():
    worst = [
        check(toys.wired(toys.scaled), only=["cotangents"], seed=seed)["cotangents"].worst
        for seed in (0, 0, 1)
    ]
    assert worst[0] == worst[1] != worst[2]


def test_global_settings_are_as_before():
    before = dict(jax.config.values)
    check_vjp(toys.product, toys.product_plainly, "NxD", "DxK", batch="N", sizes=SIZES[:1])
    assert dict(jax.config.values) == before
    assert not jax.config.jax_enable_x64  # type: ignore[attr-defined]
    assert jnp.ones(()).dtype == jnp.float32


@pytest.mark.parametrize(
    ("arguments", "settings", "complaint"),
    [
        (("NxD", "D*K"), {}, "an argument is written .* got 'D\\*K'"),
        (("NxD", "nxk"), {}, "got 'nxk'"),
        (("NxD", "DxK"), {"only": ["vamp"]}, "unknown check 'vamp'; known: value, cotangents"),
        (
            ("NxD", "DxK"),
            {"reduces": "max"},
            "reduces must be one of .*mixed.*, got 'max'",
        ),
        (("NxD", "NxK"), {}, r"operation cannot be called with shapes \(3, 4\), \(3, 5\)"),
        (("NxD",), {}, "operation cannot be called"),
        (("NxD", "DxK"), {"batch": "K"}, "no argument begins with the batch axis 'K'"),
    ],
)
def test_a_question_that_makes_no_sense_is_rejected(arguments, settings, complaint):
    with pytest.raises(ValueError, match=complaint):
        check_vjp(toys.product, toys.product_plainly, *arguments, **settings)


def test_sizes_are_first_small_and_different_then_a_batch_of_one():
    arguments = Argument.parse("NxD"), Argument.parse("DxK"), Argument.parse("4:int<K")
    drawn = list(sample_sizes(arguments, "N", seed=0, count=8))
    assert len(drawn) == 8
    assert all(set(sizes) == {"N", "D", "K"} for sizes in drawn)
    assert len(set(drawn[0].values())) == 3
    assert drawn[1]["N"] == 1
    assert any(size % 2 for sizes in drawn for size in sizes.values())
    assert all(len(set(sizes.values())) == 3 for sizes in drawn[2:])
    assert drawn == list(sample_sizes(arguments, "N", seed=0, count=8))


def test_numbers_above_0_are_drawn_away_from_it_over_an_order_of_magnitude():
    argument = Argument.parse("NxD:>0")
    drawn = argument.draw(np.random.default_rng(0), {"N": 50, "D": 4})
    assert drawn.shape == (50, 4)
    assert 0.5 <= drawn.min() < drawn.max() / 10
    whole = argument.draw_whole(np.random.default_rng(0), {"N": 50, "D": 4})
    assert set(whole.ravel()) == {1.0, 2.0, 3.0}


@pytest.mark.parametrize("text", ["NxD", "4:int<10", "N:int<K", "NxD:>0", ":>0", ""])
def test_an_argument_is_spelt_as_it_is_read(text):
    assert str(Argument.parse(text)) == text


def test_every_check_stays_in_the_domain_of_an_argument():
    with jax.debug_nans(True):
        assert check_vjp(toys.logarithm, toys.logarithm, "NxD:>0", only=HERE)
    affine = toys.slope_of_a_positive
    assert check_vjp(affine, affine, "N:>0", linear=(0,), only=["adjoint"])


def test_numbers_are_the_shape_and_nothing_is_sampled():
    arguments = (Argument.parse("4x7"),)
    assert list(sample_sizes(arguments, None, seed=0, count=8)) == [{}]
    assert arguments[0].shape({}) == (4, 7)


def test_the_report_is_a_table_with_a_row_a_check():
    result = check(toys.product, only=["value", "zero"], sizes=SIZES[:1])
    first, head, *rows = str(result).splitlines()
    assert first == "product: all checks hold"
    assert head.split() == ["check", "worst", "allowed", "where", "note"]
    assert [row.split()[:2] for row in rows] == [["value", "ok"], ["zero", "ok"]]
    assert dataclasses.asdict(result["zero"])["passed"]
