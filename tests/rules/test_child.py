import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from ffnn_jax.rules._child import events
from ffnn_jax.verify import check_vjp
from tests.rules.conftest import OPTIONS


def result_of(op: str, **options: Any) -> dict[str, Any]:
    """The last event of a child process, in this process."""
    return list(events(OPTIONS | {"op": op} | options))[-1]


def test_a_function_of_one_s_own_is_proved_or_disproved(folder: Path):
    pytest.importorskip("flint")
    asked = {"prove": True, "reference": "mine:reference", "shapes": "NxD"}
    right, wrong = (result_of(f"mine:{name}", **asked) for name in ("right", "wrong"))
    assert right["text"].startswith("mine:right: proved at 2x3, 1 case, ")
    assert right["result"]["passed"]
    assert wrong["text"].startswith("mine:wrong: disproved at 2x3, ")
    assert not wrong["result"]["passed"]


def test_a_function_is_checked_without_a_reference(folder: Path):
    result = result_of("mine:wrong")["result"]
    assert "cotangents" in result["not_asked"]
    assert not result["checks"]["differences"]["passed"]


def test_the_json_is_that_of_the_checker(folder: Path):
    event = result_of("mine:wrong", reference="mine:reference", batch="N", seed=1)
    from mine import reference, wrong  # type: ignore[import-not-found]

    result = check_vjp(wrong, reference, "NxD", batch="N", seed=1)
    details = *result.details, "diagnosis: dx is 0.66667 times what it should be"
    result = dataclasses.replace(result, again="the command", details=details)
    assert event["result"] == result.as_json()


def test_thorough_asks_more_sizes(folder: Path, capsys: pytest.CaptureFixture):
    shapes = []
    for thorough in (False, True):
        assert result_of("mine:shows_its_shape", thorough=thorough)["result"]["passed"]
        shapes.append(set(re.findall(r"^\(\d+, \d+\)$", capsys.readouterr().out, re.M)))
    assert shapes[0] < shapes[1]


@pytest.mark.parametrize(
    ("op", "options", "message"),
    [
        ("mine:wrng", {}, r"mine:wrng: module mine has no function 'wrng'; did you mean wrong\?"),
        ("mine:number", {}, "mine:number: module mine has no function 'number'"),
        (
            "mine:right",
            {"reference": "mine:referense"},
            r"^--reference mine:referense: module mine has no function 'referense'; "
            r"did you mean reference\?$",
        ),
        ("mine:right", {"reference": "quits:op"}, r"^--reference quits:op: SystemExit: 7 \("),
        ("mine:right", {"shapes": "3*4"}, "mine:right: an argument must have axes .* got '3\\*4'"),
        ("mine:right", {"shapes": "3 4"}, r"cannot be called with shapes \(3,\), \(4,\)"),
        ("mine:right", {"shapes": "4:int<0"}, "the upper bound of integers must be at least 1"),
        ("mine:right", {"batch": "B"}, "no argument begins with the batch axis 'B'"),
        ("broken:op", {}, r"broken:op: SyntaxError: .*\(broken.py, line 1\)"),
        ("quits:op", {}, r"quits:op: SystemExit: 7 \(quits.py:2\)"),
        ("bad_rule.py", {}, r"bad_rule.py: order must be 1 or 2, got 3 \(bad_rule.py:3\)"),
        ("bad_draw.py", {}, "its name: draw= raised KeyError: 'no such argument'"),
        ("mine.py", {}, "mine.py: no Rule at its top level, in a variable, list, tuple or dict"),
        ("jax.py", {}, "jax.py: rename the file, since jax is the name of another module"),
    ],
)
def test_invalid_rules_are_rejected_in_one_line(op, options, message, folder: Path):
    begin = "from mine import *\nfrom ffnn_jax.verify import *\n"
    for name, text in {
        "broken": "def op(:",
        "quits": "\nraise SystemExit(7)",
        "jax": "",
        "bad_rule": begin + "a = Rule(right, None, ('N',), order=3)",
        "bad_draw": begin + "a = Rule(right, draw=fails_to_draw, name='its name')",
    }.items():
        (folder / f"{name}.py").write_text(text)
    error = result_of(op, **options)["error"]
    assert "\n" not in error
    assert re.search(message, error)


def test_rules_are_found_once_and_named_apart(folder: Path):
    (folder / "several.py").write_text(
        "from ffnn_jax.verify import Rule\n"
        "a = Rule(abs, None, ('N',))\nb = (a, Rule(abs, None, ('NxD',)))\nc = {'a': [a]}\n"
    )
    _, names, *_ = events(OPTIONS | {"op": "several.py", "first": 2})
    assert names == {"names": ["abs", "abs (2)"]}


def test_a_file_in_a_folder_comes_before_one_of_the_same_name_here(folder: Path):
    (folder / "there").mkdir()
    for place, name in ((folder, "here"), (folder / "there", "there")):
        rule = f"from ffnn_jax.verify import Rule\na = Rule(abs, None, ('N',), name={name!r})\n"
        (place / "same.py").write_text(rule)
    _, names, *_ = events(OPTIONS | {"op": "there/same.py", "first": 1})
    assert names == {"names": ["there"]}
