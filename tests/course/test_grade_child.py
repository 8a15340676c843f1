"""What a chapter is worth that cannot be loaded or traced."""

import re
from pathlib import Path
from typing import Any

import pytest

from ffnn_jax.course import _grade_child
from ffnn_jax.layers import _relu

RELU = Path(str(_relu.__file__)).read_text("utf-8")
WIRING = "relu.defvjp(relu_forward, relu_backward)"


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("raise ValueError('\\x1b[31m' + 99 * 'long ')", r"cannot .*: \[31mlong.* \.\.\."),
        ("exit(0)", "cannot be loaded: SystemExit: 0"),
        ("def relu(:", r"cannot be loaded: SyntaxError: invalid syntax \(relu.py, line 1\)"),
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
