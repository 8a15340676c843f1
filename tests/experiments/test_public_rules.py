"""The rules of released packages: a sample gets the verdict it should, and all are complete."""

import json
import re
from pathlib import Path
from typing import Any

import jax
import pytest

from experiments.public_rules import __main__ as experiment
from experiments.public_rules import public_rules_page
from experiments.public_rules._case import PublicRule, public
from experiments.public_rules._cases import CASES
from experiments.public_rules._page import EXPECTED, agreement, upstream_texts
from ffnn_jax.verify import Rule, check_vjp

pytestmark = pytest.mark.usefixtures("quick_compilation_of_the_module")

FEW = ("value", "cotangents", "differences", "kinks", "bfloat16")
SAMPLE = [case for case in CASES if case.sample]


@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: case.function)
def test_the_checker_agrees_about_the_rules_of_jax_and_optax(case: PublicRule):
    assert case.package in ("jax", "optax")
    with jax.numpy_dtype_promotion("standard"):  # which packages rely on
        result = check_vjp(case.load(), only=FEW)
    assert result.passed == (case.expected != "defective"), result
    assert result.failures == (() if result.passed else ("bfloat16",))


def test_at_least_30_rules_have_every_field_and_a_name_of_their_own():
    assert len(CASES) >= 30
    assert len(SAMPLE) == 5
    assert len({case.function for case in CASES}) == len(CASES)
    for case in CASES:
        assert case.package and case.function.count(".") >= 1
        assert case.expected in EXPECTED
        assert case.seen.endswith(".")


def test_at_least_15_rules_are_not_named_in_an_earlier_review():
    assert sum(not case.known for case in CASES) >= 15


def test_every_package_is_pinned():
    path = Path(experiment.__file__).parent / "requirements.txt"
    lines = path.read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines)
    assert {case.package for case in CASES} <= set(pins)


@pytest.mark.parametrize("path", upstream_texts(), ids=lambda path: path.stem)
def test_a_reproduction_has_at_most_ten_lines_and_needs_the_package_alone(path: Path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("To: ") and "## Expected" in text
    (code,) = re.findall(r"(?s)```python\n(.*?)```", text)
    assert len(code.strip().splitlines()) <= 10
    assert "import" in code and "ffnn_jax" not in text
    compile(code, path.name, "exec")


@public("no-such-package", "absent.square", "right", "Never seen.")
def absent() -> Rule:
    raise ImportError("No module named 'absent'")


@public("optax", "squares.thrice", "defective", "The slope is 3 x.")
def thrice() -> Rule:
    op = jax.custom_vjp(lambda x: x**2)
    op.defvjp(lambda x: (x**2, x), lambda x, dz: (3 * x * dz,))
    return Rule(op, lambda x: x**2, ("N",), dtypes=("float64",))


def test_a_missing_package_leaves_out_its_rules_alone():
    said = experiment.checked(absent)
    assert said["verdict"] == "cannot be loaded"
    assert said["note"] == "ImportError: No module named 'absent'"


def test_a_defect_is_rejected_and_the_time_measured():
    said = experiment.checked(thrice)
    assert said["verdict"] == "rejected"
    assert "cotangents" in said["rows"]
    assert said["seconds"] > 0


def test_what_is_stored_is_not_checked_again_unless_named():
    names = [case.function for case in CASES]
    assert experiment.chosen((), names[1:], quick=False) == [CASES[0]]
    assert [case.function for case in experiment.chosen(("logaddexp",), (), quick=False)] == [
        "jax.numpy.logaddexp"
    ]
    assert experiment.chosen((), (), quick=True) == SAMPLE


def test_a_run_stores_each_rule_and_keeps_the_earlier_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(experiment, "folder_for", lambda quick: tmp_path)
    monkeypatch.setattr(experiment, "CASES", (absent, thrice))
    path = tmp_path / "public_rules.json"
    before = {"verdict": "passes", "rows": []}
    stored = {"squares.thrice": {"verdict": "passes", "before": before}}
    path.write_text(json.dumps({"quick": False, "before_commit": "abc", "rules": stored}))
    experiment.main(("absent", "thrice"))
    rules = json.loads(path.read_text())["rules"]
    assert list(rules) == ["absent.square", "squares.thrice"]
    assert rules["squares.thrice"]["verdict"] == "rejected"
    assert rules["squares.thrice"]["before"] == before
    assert "`squares.thrice`" in (tmp_path / "public_rules.md").read_text()


def result_of(*rules: tuple[str, str]) -> dict[str, Any]:
    rows = {
        f"f{i}": {
            "package": "p", "version": "1", "expected": expected, "known": False,
            "seen": "Seen at |x|.", "verdict": verdict, "rows": [], "seconds": float(i),
            "before": {"verdict": "cannot be said"},
        }
        for i, (expected, verdict) in enumerate(rules)
    }  # fmt: skip
    return {"before_commit": "abc", "rules": rows}


def test_false_alarms_and_misses_are_counted():
    page = public_rules_page(
        result_of(
            ("right", "passes"), ("right", "rejected"),
            ("defective", "passes"), ("defective", "conventions listed"),
        )
    )  # fmt: skip
    assert "| right | 2 | 1 | 0 | 1 | 0 | 0 | 1 | 0 | 0 | 0 | 0 | 2 |" in page
    assert "| defective | 2 | 1 | 1 | 0 | 0 | 0 | 0 | 1 | 0 | 0 | 0 | 2 |" in page
    assert "median 1.5 s, maximum 3.0 s (`f3`)" in page
    assert "| p | 1 | `f1` | Seen at &#124;x&#124;. | rejected (false alarm) | 1.0 |" in page


def test_a_rule_by_design_that_is_rejected_is_a_false_alarm():
    assert agreement("by design", "rejected") == "false alarm"
    assert agreement("by design", "passes") == "agrees"
    assert agreement("defective", "conventions listed") == "listed"
