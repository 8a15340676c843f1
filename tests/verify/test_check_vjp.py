import dataclasses
import importlib
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

IN_PROCESS = [name for name in CHECKS if name not in NAMES]
SIZES = [{"N": 3, "D": 4, "K": 5}, {"N": 10_000, "D": 2, "K": 3}]


def check(op, **settings):
    settings = {
        "batch": "N",
        "linear": (0, 1),
        "exact": True,
        "sizes": SIZES,
        "only": IN_PROCESS,
    } | settings
    return check_vjp(op, toys.reference_product, "NxD", "DxK", **settings)


def test_a_correct_rule_passes_every_check():
    result = check_vjp(
        toys.product, toys.reference_product, "NxD", "DxK",
        batch="N", linear=(0, 1), exact=True, empty_batch=True, sizes=SIZES[:1],
        kinks=[Kink("ones", (np.ones((1, 1)),) * 2, np.ones((1, 1)), (np.ones((1, 1)),) * 2)],
    )  # fmt: skip
    assert result.passed
    assert [row.name for row in result.checks] == list(CHECKS)


@pytest.mark.parametrize(
    ("backward", "required", "forbidden"),
    [
        (toys.scaled_dw, {"cotangents", "differences", "adjoint", "exact"}, {"value", "linearity"}),
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
def test_a_wrong_rule_fails_the_checks_that_detect_it(backward, required, forbidden):
    failures = set(check(toys.custom_vjp_of(backward), sizes=SIZES[:1]).failures)
    assert required <= failures
    assert not forbidden & failures


@pytest.mark.parametrize(
    ("backward", "failures"),
    [
        (toys.detached_residuals, ("grad of grad",)),
        pytest.param(toys.returns_float32, ("bfloat16", "float16"), marks=pytest.mark.slow),
        pytest.param(toys.sums_in_half_precision, ("bfloat16", "float16"), marks=pytest.mark.slow),
        (toys.differs_when_compiled, ("jit",)),
    ],
)
def test_a_fault_that_only_some_checks_detect_fails_only_those(backward, failures):
    assert check(toys.custom_vjp_of(backward)).failures == failures


def test_a_wrong_value_fails_the_value_check():
    wrong = toys.custom_vjp_of(toys.correct_backward, lambda x, w: (1.001 * (x @ w), (x, w)))
    result = check(wrong, sizes=SIZES[:1], only=["value", "cotangents", "linearity"])
    assert result.failures == ("value",)


def test_a_value_that_differs_from_the_forward_fails_the_value_check():
    """Without differentiation, a separate function computes the value."""
    inconsistent = jax.custom_vjp(lambda x, w: 1.001 * (x @ w))
    inconsistent.defvjp(toys.forward, toys.correct_backward)
    result = check(inconsistent, sizes=SIZES[:1], only=["value", "cotangents"])
    assert result.failures == ("value",)


@pytest.mark.parametrize("check_transformation", [check_jit, check_vmap, check_scan, check_remat])
def test_each_transformation_is_compared_with_the_compiled_rule(check_transformation):
    """The compiled rule is correct and the operation wrong, as if the transformation broke it."""
    arguments = Argument.parse("NxD"), Argument.parse("DxK")
    good = Subject(toys.product, toys.reference_product, arguments)
    bad = Subject(toys.custom_vjp_of(toys.scaled_dw), toys.reference_product, arguments)
    with jax.enable_x64(True):
        bad.__dict__["pull"] = good.pull
        assert check_transformation(good, SIZES[0], 0).passed
        result = check_transformation(bad, SIZES[0], 0)
    assert not result.passed
    assert "dw" in result.where


def test_a_failure_names_argument_and_index():
    def one_entry(residuals, dz):
        dx, dw = toys.correct_backward(residuals, dz)
        return dx, dw.at[2, 1].multiply(1.01)

    row = check(toys.custom_vjp_of(one_entry), only=["cotangents"], sizes=SIZES[:1])["cotangents"]
    assert row.where.startswith(("dw[2, 1]", "darg1[2, 1]"))
    assert row.where.endswith("N=3 D=4 K=5")
    assert row.worst > row.allowed > 0


def test_nan_is_an_error():
    def nan(residuals, dz):
        dx, dw = toys.correct_backward(residuals, dz)
        return dx * jnp.nan, dw

    result = check(toys.custom_vjp_of(nan), only=["cotangents"], sizes=SIZES[:1])
    assert result["cotangents"].worst == np.inf


KINKED = [
    Kink("zero", (np.zeros(3),), np.arange(1.0, 4), (np.zeros(3),)),
    Kink("one", (np.ones(3),), np.arange(1.0, 4), (np.arange(1.0, 4),)),
]


@pytest.mark.parametrize(("slope", "failures"), [(0.0, ()), (0.5, ("kinks",)), (1.0, ("kinks",))])
def test_a_convention_at_a_kink_must_be_met_exactly(slope, failures):
    op = jax.custom_vjp(lambda x: jnp.abs(x))
    op.defvjp(
        lambda x: (jnp.abs(x), x), lambda x, dz: (jnp.where(x == 0, slope, jnp.sign(x)) * dz,)
    )
    result = check_vjp(op, toys.absolute, "N", kinks=KINKED, only=IN_PROCESS)
    assert result.failures == failures


@pytest.mark.parametrize(
    ("op", "reduces", "failures"),
    [
        (toys.mean_loss, "mean", ()),
        (toys.mean_loss, "sum", ("shard_map",)),
        (toys.centred, "sum", ("shard_map",)),
    ],
)
def test_shards_of_a_batch_are_combined_as_declared(op, reduces, failures):
    result = check_vjp(op, op, "NxD", batch="N", reduces=reduces, only=NAMES)
    assert [row.name for row in result.checks] == list(NAMES)
    assert result.failures == failures


def test_examples_that_depend_on_one_another_skip_shard_map():
    result = check_vjp(toys.centred, toys.centred, "NxD", batch="N", reduces="mixed", only=NAMES)
    assert [row.name for row in result.checks] == ["sharded"]
    assert result


def test_a_module_that_checks_a_rule_on_import_does_not_start_subprocesses_of_subprocesses(
    tmp_path, monkeypatch
):
    (tmp_path / "checks_on_import.py").write_text(
        "import pathlib\n"
        "from ffnn_jax.verify import check_vjp\n"
        "def double(x):\n    return 2 * x\n"
        "imported = pathlib.Path(__file__).with_name('imported')\n"
        "imported.write_text((imported.read_text() if imported.exists() else '') + 'x')\n"
        "assert len(imported.read_text()) < 5\n"
        "check_vjp(double, double, 'NxD', batch='N', only=['sharded'])\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("checks_on_import")
    assert check_vjp(module.double, module.double, "NxD", batch="N", only=["sharded"])
    # This process, then a subprocess for the check on import and one for the check above.
    assert (tmp_path / "imported").read_text() == "xxx"


WEIGHTED: dict[str, Any] = {
    "batch": "N",
    "reduces": "mean",
    "linear": (1,),
    "sizes": [{"N": 3, "D": 4}],
}


def test_every_check_supports_several_outputs():
    kink = Kink("ones", (np.ones((1, 1)), np.ones(1)), (np.full((1, 1), 3.0), np.full(1, 5.0)),
                (np.full((1, 1), 13.0), np.full(1, 3.0)))  # fmt: skip
    result = check_vjp(toys.weighted, toys.reference_weighted, "NxD", "D", kinks=[kink], **WEIGHTED)
    assert result, str(result)
    assert {*CHECKS} - {row.name for row in result.checks} == {"empty batch", "exact"}


@pytest.mark.parametrize(
    ("forward", "backward", "failures"),
    [
        pytest.param(
            toys.weighted_forward,
            toys.forgets_the_second_output,
            {"cotangents", "differences", "grad of grad", "float32", "bfloat16"},
            marks=pytest.mark.slow,
        ),
        (toys.squares_summed_in_half_precision, toys.weighted_backward, {"bfloat16"}),
    ],
)
def test_a_fault_in_one_of_several_outputs_is_detected(forward, backward, failures):
    settings = WEIGHTED | {
        "sizes": [{"N": 3, "D": 4}, {"N": 3000, "D": 2}],
        "only": [name for name in IN_PROCESS if name != "float16"],
    }
    wrong = toys.custom_vjp_of(backward, forward)
    result = check_vjp(wrong, toys.reference_weighted, "NxD", "D", **settings)
    assert set(result.failures) == failures


def test_one_of_several_outputs_is_named_by_its_index():
    def forward(x, w):
        (z, squares), residuals = toys.weighted_forward(x, w)
        return (z, squares.at[2].multiply(1.01)), residuals

    wrong = toys.custom_vjp_of(toys.weighted_backward, forward)
    result = check_vjp(wrong, toys.reference_weighted, "NxD", "D", only=["value"], **WEIGHTED)
    assert result["value"].where == "z[1][2] at N=3 D=4"


def test_a_function_that_cannot_be_imported_is_not_checked_over_devices():
    result = check(toys.custom_vjp_of(toys.correct_backward), only=[*NAMES, "value"])
    assert [row.name for row in result.checks] == ["value"]


def test_the_error_of_autodiff_is_noted_for_each_dtype():
    notes = [check(toys.product, only=[d], sizes=SIZES[:1])[d].note for d in ("float32", "float16")]
    assert all(note.startswith("autodiff ") and note.endswith(" eps") for note in notes)


def test_outputs_may_be_pytrees_and_arguments_arrays():
    x = np.ones((3, 2), np.float32)
    assert check_vjp(toys.two_outputs, toys.two_outputs, x, only=IN_PROCESS)


def test_a_forward_that_calls_its_own_operation_is_accepted():
    """As in JAX's own tutorial; and a rule that scatters to given rows."""
    without_dtypes = [name for name in IN_PROCESS if "float" not in name]
    result = check_vjp(toys.calls_itself, toys.sine_times, "N", "N", only=without_dtypes)
    assert [name for name in result.failures if name != "grad of grad"] == []
    assert check_vjp(toys.look_up, toys.reference_look_up, "NxD", "K:int<N", only=without_dtypes)


def test_an_output_of_the_wrong_shape_is_reported_in_one_row():
    result = check_vjp(lambda x: x[None], toys.absolute, "N")
    assert [row.note for row in result.checks] == [
        "the output shape is (1, 3), the reference's (3,)"
    ]
    assert not result


def test_integers_have_no_cotangent():
    def pick(x, rows):
        return x[rows]

    result = check_vjp(pick, pick, "NxD", "K:int<N", only=["cotangents", "vmap", "float32"])
    assert result
    assert result["cotangents"].where.startswith("dx")


def test_assert_vjp_raises_with_the_table_and_is_silent_if_all_checks_pass():
    settings = {"only": ["cotangents"], "sizes": SIZES[:1]}
    assert_vjp(toys.product, toys.reference_product, "NxD", "DxK", **settings)
    with pytest.raises(AssertionError, match=r"cotangents +FAILS .* at N=3 D=4 K=5"):
        assert_vjp(
            toys.custom_vjp_of(toys.scaled_dw), toys.reference_product, "NxD", "DxK", **settings
        )


def test_the_printed_call_reproduces_the_failures():
    result = check(toys.ignores_its_cotangent, seed=3)
    names = {"check_vjp": check_vjp, **vars(toys)}
    repeated = eval(result.again, names)
    assert repeated.failures == result.failures
    assert [row.worst for row in repeated.checks] == [
        result[name].worst for name in result.failures
    ]


def test_a_different_seed_draws_different_values():
    worst = [
        check(toys.custom_vjp_of(toys.scaled_dw), only=["cotangents"], seed=seed)[
            "cotangents"
        ].worst
        for seed in (0, 0, 1)
    ]
    assert worst[0] == worst[1] != worst[2]


def test_global_settings_are_unchanged():
    before = dict(jax.config.values)
    check_vjp(toys.product, toys.reference_product, "NxD", "DxK", batch="N", sizes=SIZES[:1])
    assert dict(jax.config.values) == before
    assert not jax.config.jax_enable_x64  # type: ignore[attr-defined]
    assert jnp.ones(()).dtype == jnp.float32


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        (("NxD", "D*K"), {}, "an argument must look like .* got 'D\\*K'"),
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
def test_invalid_arguments_are_rejected(arguments, settings, message):
    with pytest.raises(ValueError, match=message):
        check_vjp(toys.product, toys.reference_product, *arguments, **settings)


def test_sizes_start_small_and_different_then_have_a_batch_of_one():
    arguments = Argument.parse("NxD"), Argument.parse("DxK"), Argument.parse("4:int<K")
    sampled = list(sample_sizes(arguments, "N", seed=0, count=8))
    assert len(sampled) == 8
    assert all(set(sizes) == {"N", "D", "K"} for sizes in sampled)
    assert len(set(sampled[0].values())) == 3
    assert sampled[1]["N"] == 1
    assert any(size % 2 for sizes in sampled for size in sizes.values())
    assert all(len(set(sizes.values())) == 3 for sizes in sampled[2:])
    assert sampled == list(sample_sizes(arguments, "N", seed=0, count=8))


def test_positive_numbers_are_drawn_away_from_0_over_an_order_of_magnitude():
    argument = Argument.parse("NxD:>0")
    sampled = argument.draw(np.random.default_rng(0), {"N": 50, "D": 4})
    assert sampled.shape == (50, 4)
    assert 0.5 <= sampled.min() < sampled.max() / 10
    integers = argument.draw_integers(np.random.default_rng(0), {"N": 50, "D": 4})
    assert set(integers.ravel()) == {1.0, 2.0, 3.0}


@pytest.mark.parametrize("text", ["NxD", "4:int<10", "N:int<K", "NxD:>0", ":>0", ""])
def test_the_text_of_an_argument_round_trips(text):
    assert str(Argument.parse(text)) == text


def test_every_check_stays_in_the_domain_of_an_argument():
    with jax.debug_nans(True):
        assert check_vjp(toys.logarithm, toys.logarithm, "NxD:>0", only=IN_PROCESS)
    affine = toys.affine_where_positive
    assert check_vjp(affine, affine, "N:>0", linear=(0,), only=["adjoint"])


def test_axes_given_as_numbers_are_not_sampled():
    arguments = (Argument.parse("4x7"),)
    assert list(sample_sizes(arguments, None, seed=0, count=8)) == [{}]
    assert arguments[0].shape({}) == (4, 7)


def test_the_result_prints_as_a_table_with_one_row_per_check():
    result = check(toys.product, only=["value", "zero"], sizes=SIZES[:1])
    first, head, *rows = str(result).splitlines()
    assert first == "product: all checks hold"
    assert head.split() == ["check", "worst", "allowed", "where", "note"]
    assert [row.split()[:2] for row in rows] == [["value", "ok"], ["zero", "ok"]]
    assert dataclasses.asdict(result["zero"])["passed"]
