"""What counts as named, and what is said of the real mistakes and in an exam."""

import json
from pathlib import Path

import pytest

from experiments import _judged_faults, diagnosis
from experiments._judged_faults import judge_planted, judge_stranger
from experiments._real_mistakes import real_mistakes
from ffnn_jax.catalogue import RELU, Fault
from ffnn_jax.catalogue.diagnosis import Diagnosis
from ffnn_jax.config import UserError

pytestmark = pytest.mark.usefixtures("quick_compilation_of_the_module")

EXAM = """
WRONG = [
    ("relu", lambda positive, dz: (dz,), "the gate is left out"),
    ("relu", lambda positive, dz: (positive * dz / 7,), "a stray factor"),
]
"""


def fault_named(name: str) -> Fault:
    return next(fault for fault in RELU.all_faults if fault.name == name)


@pytest.mark.parametrize(
    ("name", "planted", "strangers"),
    [
        ("dx negated", "named", "expected"),
        ("gate inverted", "named", "expected"),
        ("slope 1/2 at 0", "named", "not visible"),
        ("slope 1e-3 below 0", "named", "nothing"),
    ],
)
def test_verdicts(name: str, planted: str, strangers: str):
    assert judge_planted(RELU, fault_named(name))[0] == planted
    assert judge_stranger(RELU, fault_named(name))[0] == strangers


def test_a_text_for_another_fault_is_misnamed_unless_it_returns_the_same(
    monkeypatch: pytest.MonkeyPatch,
):
    gate = fault_named("gate left out")
    assert judge_planted(RELU, Fault("another", gate.backward))[0] == "twin"
    assert judge_planted(RELU, Fault("none"))[0] == "not visible"
    wrong = Diagnosis(("dx has the wrong sign",), True)
    monkeypatch.setattr(_judged_faults, "diagnose", lambda *_: wrong)
    assert judge_planted(RELU, gate) == ("misnamed", "dx has the wrong sign")


def test_all_real_mistakes_are_named():
    found = real_mistakes()
    assert len(found) >= 10
    assert [what for what, (named, _) in found.items() if not named] == []


def test_an_exam_tells_each_wrong_backward_beside_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("exam.py").write_text(EXAM)
    diagnosis.main(quick=True, exam="exam.py")
    rows = json.loads(Path("runs/quick/diagnosis_exam.json").read_text())["exam"]
    assert [row["told"] for row in rows] == [
        'dx matches the known fault "gate left out"', "dx is 0.14286 times what it should be",
    ]  # fmt: skip
    assert rows[0]["what"] == "the gate is left out"
    with pytest.raises(UserError, match=r"none\.py: no such file"):
        diagnosis.main(quick=True, exam="none.py")
    with pytest.raises(UserError, match=r"no operation 'rellu'; did you mean relu\?"):
        diagnosis.take_exam([("rellu", RELU.op.bwd, "")])


@pytest.mark.slow
def test_a_quick_run_names_every_planted_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    diagnosis.main(quick=True)
    result = json.loads(Path("runs/quick/diagnosis.json").read_text())
    assert result["planted"]["counts"] == {"named": 40}
    assert sum(result["strangers"]["counts"].values()) == 40
