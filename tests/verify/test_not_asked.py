"""What did not run is listed, with the reason; asking for nothing is an error."""

import types
from typing import Any

import jax.numpy as jnp
import pytest

from ffnn_jax.verify import CHECKS, Rule, _run, assert_vjp, check_vjp
from ffnn_jax.verify._subject import Subject
from tests.verify import structures, toys
from tests.verify.running import IN_PROCESS, LONG, ON_DEVICES, SMALL

SINE = toys.unary(jnp.sin, jnp.cos), lambda x: jnp.sin(x)


@pytest.mark.parametrize(
    "rule",
    [
        Rule(*SINE, ("N",)),
        Rule(SINE[0], None, ("N",)),
        Rule(*SINE, ("N",), order=1, dtypes=("float64", "float32")),
        Rule(*SINE, ("N",), skip={"differences": "noisy", "remat": "not used"}),
        Rule(SINE[0], None, ("N",), backward=lambda args, dz: (jnp.cos(args[0]) * dz,)),
        Rule(structures.complex_with(lambda z, dz: 2 * z * dz), lambda z: z * z, ("N:complex",)),
    ],
    ids=["reference", "no reference", "first order", "skip", "backward", "complex"],
)
def test_every_check_ran_or_is_listed_with_a_reason(rule):
    slow = ("jit", "vmap", "scan", "magnitudes")
    result = check_vjp(rule, only=[name for name in CHECKS if name not in slow])
    assert result, str(result)
    ran = [row.name for row in result.checks]
    assert sorted([*ran, *result.not_asked]) == sorted(CHECKS)
    assert all(result.not_asked.values())
    for name, reason in result.not_asked.items():
        line = str(result).splitlines()[-1]
        assert line.startswith("not asked: ")
        assert name in line
        assert f"({reason})" in line


def test_the_reasons():
    result = check_vjp(*SINE, "N", skip={"differences": "noisy"}, order=1, dtypes=("float64",))
    assert result
    expected = {
        "differences": "noisy", "adjoint": "no linear=", "exact": "no exact=",
        "kinks": "none declared", "empty batch": "no empty_batch=",
        "jvp": "a custom_vjp has no forward mode", "grad of grad": "order=1",
        "float32": "not among dtypes=", "bfloat16": "not among dtypes=",
        "float16": "not among dtypes=", "partial": "one argument, one output",
        "sharded": "no batch=", "shard_map": "no batch=",
    }  # fmt: skip
    assert result.not_asked == expected


@pytest.mark.parametrize(
    ("settings", "asked"),
    [({"batch": "N"}, False), ({"empty_batch": True}, False),
     ({"batch": "N", "empty_batch": True}, True)],
)  # fmt: skip
def test_an_empty_batch_is_tried_where_there_is_a_batch_and_it_may_be_empty(settings, asked):
    rule = Rule(toys.product, toys.reference_product, ("NxD", "DxK"), **settings)
    reasons = _run._not_asked(Subject.of(rule, SMALL[0]), SMALL[0], tuple(CHECKS))
    assert reasons.get("empty batch") == (None if asked else "no empty_batch=")


def test_most_checks_run_at_the_first_sizes_alone():
    rule = Rule(toys.product, toys.reference_product, ("NxD", "DxK"))
    tasks: Any = _run._tasks(Subject.of(rule, LONG[0]), LONG, 0, scaled=False)
    ran = {name: [] for name in CHECKS}
    for name, task in tasks:
        ran[name].append(task.args[1] if task.args[1] in LONG else task.args[2])
    assert ran["zero"] == ran["linearity"] == LONG
    assert ran["primal"] == ran["jvp"] == LONG[:1]


def test_a_check_that_is_not_chosen_is_listed_too():
    result = check_vjp(*SINE, "N", only=["zero"])
    assert set(result.not_asked) == set(CHECKS) - {"zero"}
    assert result.not_asked["value"] == "not among only="


def test_asking_for_nothing_is_an_error():
    with pytest.raises(ValueError, match="only: names no check"):
        check_vjp(*SINE, "N", only=())


def test_a_result_without_rows_is_no_success():
    result = check_vjp(*SINE, "N", only=ON_DEVICES)
    assert not result
    assert not result.passed
    assert result.checks == ()
    assert result.verdict == "nothing was checked"
    with pytest.raises(AssertionError, match="nothing was checked"):
        assert_vjp(*SINE, "N", only=ON_DEVICES)


def test_without_a_reference_the_checks_that_need_one_are_listed():
    result = check_vjp(SINE[0], None, "N", only=["value", "cotangents", "differences"])
    assert [row.name for row in result.checks] == ["differences"]
    assert result.not_asked["value"] == result.not_asked["cotangents"] == "no reference"


def test_no_check_starts_after_the_time_limit():
    result = check_vjp(*SINE, "N", timeout=0, only=IN_PROCESS)
    assert not result
    assert result.checks == ()
    assert result.not_asked["value"] == "the time limit was reached"
    assert result.not_asked["float32"] == "the time limit was reached"
    assert result.not_asked["adjoint"] == "no linear="


def test_a_check_that_has_started_is_finished(monkeypatch):
    """The clock jumps by one each time it is read."""
    seconds = iter(range(10_000))
    clock = types.SimpleNamespace(monotonic=lambda: next(seconds))
    monkeypatch.setattr(_run, "time", clock)
    asked = ["value", "cotangents", "zero", "linearity"]
    result = check_vjp(toys.product, toys.reference_product, "NxD", "DxK", sizes=SMALL,
                       only=asked, timeout=2.5)  # fmt: skip
    assert [row.name for row in result.checks] == ["value", "cotangents"]
    assert result.not_asked["zero"] == "the time limit was reached"
    assert result.verdict == "stopped at the time limit, before every check had run"
    assert not result


def test_a_generous_time_limit_changes_nothing():
    asked = ["value", "cotangents", "zero"]
    result = check_vjp(*SINE, "N", timeout=1e6, only=asked)
    assert [row.name for row in result.checks] == asked


def test_sizes_at_which_the_reference_is_not_finite_are_named_and_not_compared():
    """The sample deviation of one number is 0 / 0."""

    def deviation(x):
        centred = x - jnp.mean(x)
        return jnp.sqrt(jnp.sum(centred * centred) / (x.size - 1))

    sizes = [{"N": 3}, {"N": 1}, {"N": 6}]
    result = check_vjp(deviation, deviation, "N", sizes=sizes, only=["value", "cotangents"])
    assert result
    assert "the reference is not finite at N=1: not compared there" in result.remarks
