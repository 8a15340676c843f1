"""Calls end as they do alone, whatever becomes of the others and of the workers."""

import os
from pathlib import Path
from typing import Any

import pytest

from ffnn_jax._processor import core_numbers
from ffnn_jax.config import UserError
from ffnn_jax.runs.sweeps import _cluster, run_alone
from ffnn_jax.runs.sweeps._engine import Outcome, outcomes
from tests.runs.sweeps.calls import die, die_once, divide, fail, here, listening
from tests.systems import linux

pytest.importorskip("distributed")


def ended(calls: dict[Any, Any]) -> dict[Any, Outcome]:
    return dict(outcomes(calls, None))


@linux
def test_calls_end_as_alone_whatever_the_others_do(tmp_path: Path, monkeypatch):
    """A death costs a second attempt; one death is blamed, and the blamed are tried alone."""
    monkeypatch.setitem(_cluster._CONFIG, "distributed.scheduler.allowed-failures", 0)
    found = ended({
        ("fails", 0): (fail, "no such pixel"),
        ("raises", 0): (divide, 0),
        ("dies", 0): (die,),
        ("dies once", 0): (die_once, tmp_path / "seen"),
        ("listens", 0): (listening,),
        **{("here", number): (here, number) for number in range(4)},
    })  # fmt: skip
    assert found.pop(("fails", 0)).reason == "no such pixel"
    assert found.pop(("raises", 0)).reason == "ZeroDivisionError: division by zero"
    assert "killed every worker" in found.pop(("dies", 0)).reason
    assert found.pop(("dies once", 0)) == Outcome("alive")
    addresses = found.pop(("listens", 0)).result
    assert addresses and set(addresses) == {"127.0.0.1"}
    for (_, number), (result, reason) in found.items():
        value, cores, process = result
        assert (value, reason) == (number, "")
        assert len(cores) == 1 and cores <= set(core_numbers()) and process != os.getpid()


@linux
def test_a_call_alone_is_on_the_first_core_and_raises_its_own_error():
    _, cores, _ = run_alone(here, 0)
    assert cores == set(core_numbers()[:1])
    with pytest.raises(UserError, match=r"^no such layer$"):
        run_alone(fail, "no such layer")


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(_cluster._CONFIG, "distributed.comm.timeouts.connect", "500ms")
    with pytest.raises(UserError, match=r"^scheduler: no answer from 'tcp://127\.0\.0\.1:1'"):
        list(outcomes({("a", 0): (here, 0)}, "tcp://127.0.0.1:1"))
    with pytest.raises(UserError, match=r"^scheduler: no answer from 'nonsense://a'"):
        list(outcomes({("a", 0): (here, 0)}, "nonsense://a"))
