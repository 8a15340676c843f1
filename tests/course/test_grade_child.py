"""What a chapter is worth that cannot be loaded or traced, and what tampering is noticed."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ffnn_jax.course import _grade_child
from ffnn_jax.layers import _relu
from ffnn_jax.verify import Check, _compare, _run

RELU = Path(str(_relu.__file__)).read_text("utf-8")
WIRING = "relu.defvjp(relu_forward, relu_backward)"


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("raise ValueError('\\x1b[31m' + 99 * 'long ')", r"cannot .*: \[31mlong.* \.\.\."),
        ("exit(0)", "cannot be loaded: .*relu.py: SystemExit: 0"),
        ("def relu(:", r"cannot be .*relu.py: SyntaxError: invalid syntax \(relu.py, line 1\)"),
        ("def relu(x):\n    return x\n", "no jax.custom_vjp of this name that is wired"),
        (RELU.replace(WIRING, ""), "no jax.custom_vjp of this name that is wired"),
        (RELU.replace("return (dx,)", "raise KeyboardInterrupt"), "KeyboardInterrupt:"),
        (RELU.replace("return (dx,)", "return dx.T @ dz,"), "wrong dx: ValueError: .*"),
        (RELU.replace("return z, x > 0", "return -z, x > 0"), "the forward differs .*"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("quick_compilation")
def test_a_chapter_that_fails_has_a_remark(tmp_path: Path, text: str, remark: str):
    (tmp_path / "relu.py").write_text(text)
    graded: dict[str, Any] = {}
    _grade_child._grade_chapter(tmp_path / "relu.py", _grade_child._entries("relu"), graded)
    assert re.fullmatch(remark, graded["remark"]), graded["remark"]
    assert graded["points"] == 0 or "forward" in remark


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("_compare.TOLERANCE", lambda p: p.setattr(_compare, "TOLERANCE", 9.0)),
        ("_compare.compare", lambda p: p.setattr(_compare, "compare", max)),
        ("_compare.compare", lambda p: p.setattr(_compare.compare, "__code__", none.__code__)),
        ("_result.Check.badness", lambda p: p.setattr(Check, "badness", 0.0)),
        ("_run._CHECKS_AT_ALL_SIZES", lambda p: p.delitem(_run._CHECKS_AT_ALL_SIZES, "value")),
        ("_run._FAR", lambda p: p.delattr(_run, "_FAR")),
    ],
)  # fmt: skip
def test_what_is_replaced_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, change: Callable[[pytest.MonkeyPatch], None]
):
    before = _grade_child._state()
    assert _grade_child._difference(before, _grade_child._state()) == ""
    change(monkeypatch)
    assert _grade_child._difference(before, _grade_child._state()).endswith(name)


def none(*values: float) -> float:
    return 0.0
