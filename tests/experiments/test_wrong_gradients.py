"""The benchmark of gradient checkers: its cases are what they say, and its counts are right."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.wrong_gradients import __main__ as benchmark
from experiments.wrong_gradients import _table, checkers_table
from experiments.wrong_gradients._case import Case
from experiments.wrong_gradients._checkers import finite_differences, jax_check_grads, on_examples
from experiments.wrong_gradients._example import examples
from experiments.wrong_gradients._known_bugs import KNOWN_BUGS
from ffnn_jax.verify import Rule

WRONG = [case for case in KNOWN_BUGS if case.wrong]


def wrong_square(x: Any) -> Any:
    op = jax.custom_vjp(lambda x: x**2)
    op.defvjp(lambda x: (x**2, x), lambda x, dz: (3 * x * dz,))
    return op(x)


def square(x: Any) -> Any:
    return x**2


def case_of(op: Callable[..., Any], *arguments: Any, wrong: bool = False) -> Case:
    return Case(op.__name__, "", wrong, "", Rule(op, None, arguments))


@pytest.mark.slow
def test_a_quick_run_counts_what_each_checker_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    benchmark.main(quick=True)
    result = json.loads((tmp_path / "runs" / "quick" / "wrong_gradients.json").read_text())
    assert result["cases"]["planted"] == {"wrong": 1, "right": 0}
    assert result["cases"]["known"] == {"wrong": 1, "right": 1}
    assert len(result["rows"]) == 3
    for parts in result["rows"].values():
        assert [parts[name]["found"] for name in ("planted", "known")] == [1, 1]
        assert [parts[name]["alarms"] for name in ("planted", "known")] == [{}, {}]
    assert "| ours, `check_vjp` | 1 | 1 |" in checkers_table(result)


def test_the_sets_have_250_wrong_and_100_right_rules_with_names_of_their_own():
    cases = [case for name in benchmark.SETS for case in benchmark.all_cases(name)]
    assert len({case.name for case in cases}) == len(cases)
    assert sum(case.wrong for case in cases) >= 250
    assert sum(not case.wrong for case in cases) >= 100
    blind = benchmark.all_cases("blind")
    assert [case.wrong for case in blind].count(True) == len(blind) / 2 == 100
    assert all(case.witness is not None for case in (*blind, *WRONG) if case.wrong)


def gradients(f: Any, *x: Any) -> Any:
    z, pull = jax.vjp(lambda *x: f(*x), *x)
    return pull(jnp.arange(2.0, 2 + z.size).reshape(z.shape))


def slopes(f: Any, x: Any) -> Any:
    """The gradient of the gradient."""
    return jax.grad(lambda x: jax.grad(lambda x: f(x).sum())(x).sum())(x)


def tangents(f: Any, x: Any) -> Any:
    return jax.jvp(f, (x,), (x,))[1]


SHOWN = {
    "vjp": gradients, "second": slopes, "jvp": tangents, "value": lambda f, *x: f(*x),
}  # fmt: skip


@pytest.mark.parametrize("case", [c for c in WRONG if c.shows in SHOWN], ids=lambda c: c.name)
def test_a_known_bug_shows_at_its_witness_and_not_when_mended(case: Case):
    (mended,) = [c.rule.op for c in KNOWN_BUGS if c.name == f"{case.name}, mended"]
    witness = case.witness or ()
    with jax.enable_x64(True):
        show = jax.jit(SHOWN[case.shows], static_argnums=0)
        wrong, right = show(case.rule.op, *witness), show(mended, *witness)
    same = [
        np.array_equal(a, b, equal_nan=True)
        for a, b in zip(jax.tree.leaves(wrong), jax.tree.leaves(right), strict=True)
        if a.dtype != jax.dtypes.float0
    ]
    assert not all(same)


def test_the_other_checkers_reject_a_wrong_slope_and_accept_a_right_one():
    for check in map(on_examples, (finite_differences, jax_check_grads)):
        assert check(case_of(square, "N")) == ""
        with pytest.raises(AssertionError):
            check(case_of(wrong_square, "N", wrong=True))


def test_complex_numbers_keys_integers_and_static_arguments_reach_the_operation():
    def noise(x: Any, y: Any, key: Any, i: Any, power: int) -> Any:
        scale = jax.random.uniform(key) + i.astype(jnp.float64).sum()
        return y, i, scale * x**power

    case = case_of(noise, "N", "N:complex", "key", "N:int<4", 2)
    assert on_examples(finite_differences)(case) == ""
    with jax.enable_x64(True):
        example = next(examples(case))
    assert [array.dtype for array in example.arrays] == [np.float64, np.complex128]


def test_an_exception_counts_as_rejected():
    def broken(x: Any) -> Any:
        raise TypeError("no such luck")

    cases = [case_of(broken, "N", wrong=True), case_of(square, "N")]
    part = benchmark.measure(on_examples(finite_differences), cases, exact=True)
    assert (part["found"], part["rejected"], part["missed"]) == (1, 0, [])
    assert part["rejected_interval"] == pytest.approx((0, 0.975))


def test_exact_intervals_are_those_of_clopper_and_pearson():
    assert _table.exact_interval(97, 100) == pytest.approx((0.9148, 0.9938), abs=1e-4)
    assert _table.exact_interval(0, 100) == pytest.approx((0, 0.0362), abs=1e-4)


def test_the_table_has_a_dash_for_what_was_not_measured():
    part = {"found": 9, "rejected": 0}
    blind = part | {"found_interval": (0.555, 0.997)}
    result = {
        "cases": {name: {"wrong": 10, "right": 5} for name in ("known", "blind")},
        "rows": {"a": {"known": part, "blind": blind}, "b": {"known": part}},
    }
    _, _, a, b = checkers_table(result).splitlines()
    assert a == "| a | 9 | 9 (56 to 100 %) | 0 |"
    assert b == "| b | 9 | – | – |"
