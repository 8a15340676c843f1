import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from ffnn_jax.catalogue import OP_SPECS, Verification
from ffnn_jax.cli import _verify_layers_run
from ffnn_jax.verify import CHECKS, VerificationResult
from tests.cli.conftest import code_of

MODULE = """
import jax, jax.numpy as jnp
from ffnn_jax.layers import dense_backward, dense_forward

def plain(x, w, b):
    return x @ w + b[None, :]

def wired(forward, backward):
    op = jax.custom_vjp(lambda *args: forward(*args)[0])
    op.defvjp(forward, backward)
    return op

def halved(residuals, dz):
    dx, dw, db = dense_backward(residuals, dz)
    return dx, dw / 2, db

right_dense = wired(dense_forward, dense_backward)
wrong_dense = wired(dense_forward, halved)

def reference_relu(x):
    return jnp.maximum(x, 0)

def slope_at_zero(slope):
    def backward(x, dz):
        return (jnp.where(x > 0, dz, jnp.where(x == 0, slope * dz, 0 * dz)),)
    return wired(lambda x: (jnp.maximum(x, 0), x), backward)

relu_0, relu_half = slope_at_zero(0.0), slope_at_zero(0.5)

def scaled(x, by=1.0):
    return by * x
"""
DENSE = ["--reference", "mine:plain", "--shapes", "NxD DxK K"]
RELU = ["--reference", "mine:reference_relu", "--shapes", "4x7", "--kink", "x=0:0"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mine.py").write_text(MODULE)
    (tmp_path / "broken.py").write_text("def op(:")
    (tmp_path / "quits.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_layer_of_ours_holds_and_the_json_says_so(here: Path, capsys: pytest.CaptureFixture):
    assert code_of("verify", "--layer", "relu", "--json", "found.json") == 0
    found = json.loads((here / "found.json").read_text())["layers"]["relu"]
    assert found["faults"] == {"planted": 15, "caught": 15}
    assert set(found["checks"]) <= set(CHECKS)
    assert all(check["passed"] and check["worst"] >= 0 for check in found["checks"].values())
    printed = capsys.readouterr().out
    assert "15/15" in printed
    assert "0/200" in printed
    assert "15 of 15 planted faults caught" in printed


@pytest.mark.parametrize(
    ("op", "question", "code"),
    [
        ("right_dense", DENSE, 0),
        ("wrong_dense", DENSE, 1),
        ("relu_0", RELU, 0),
        ("relu_half", RELU, 1),
    ],
)
def test_a_users_right_rule_passes_and_a_wrong_one_does_not(op, question, code, capsys):
    assert code_of("verify", f"mine:{op}", *question) == code
    printed = capsys.readouterr().out
    if op == "wrong_dense":
        assert re.search(r"cotangents +FAILS .* d(w|arg1)\[\d+, \d+\] at N=3 D=4 K=5", printed)
    if op == "relu_half":
        assert re.search(r"kinks +FAILS .* d(x|arg0)\[\d, \d\] at x=0", printed)
    again = re.findall(r"^again: (.*)$", printed, re.M)
    assert again == ([] if code == 0 else [f"ffnn-jax verify mine:{op} {shell(question)}"])


def shell(words: list[str]) -> str:
    return " ".join(f"'{word}'" if " " in word else word for word in words)


def test_static_settings_reach_both_functions(capsys):
    question = ["--reference", "mine:scaled", "--shapes", "3x2", "--static", "by=2.5"]
    assert code_of("verify", "mine:scaled", *question) == 0


def test_json_on_standard_output_is_nothing_else(capsys: pytest.CaptureFixture):
    assert code_of("verify", "mine:wrong_dense", *DENSE, "--json", "-") == 1
    checks = json.loads(capsys.readouterr().out)["layers"]["mine:wrong_dense"]["checks"]
    assert not checks["cotangents"]["passed"]
    assert checks["value"]["passed"]


def test_faults_are_listed_and_nothing_is_checked(capsys: pytest.CaptureFixture):
    assert code_of("verify", "--list-faults") == 0
    lines = capsys.readouterr().out.splitlines()
    pairs = [(entry, fault) for entry in OP_SPECS for fault in entry.all_faults]
    assert lines == [f"{entry.name}: {fault.name}" for entry, fault in pairs]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--layer", "desne"], "unknown layer 'desne'.*did you mean dense"),
        (["mine:right_dense", "--shapes", "3"], "verify mine:right_dense needs --reference"),
        (["--reference", "mine:plain"], "--reference needs the function to check"),
        (["mine:nothing", *DENSE], "module mine has no function 'nothing'"),
        (
            ["nowhere:op", *DENSE],
            "nowhere:op cannot be imported: ModuleNotFoundError: No module named 'nowhere'",
        ),
        (["right_dense", *DENSE], "a function is named MODULE:NAME, got 'right_dense'"),
        (["mine:right_dense", *DENSE[:3], "3*4"], "an argument is written .* got '3\\*4'"),
        (["mine:right_dense", *DENSE[:3], "3x4"], r"cannot be called with shapes \(3, 4\)"),
        (["mine:relu_0", *RELU[:-1], "x=0"], "kink must be ARGUMENT=VALUE:SLOPE"),
        (["mine:relu_0", *RELU[:-1], "y=0:0"], "kink: no argument 'y'"),
        (["mine:scaled", *DENSE, "--static", "by"], "static must be NAME=VALUE"),
        (["mine:scaled", *DENSE, "--static", "bye=2"], "static: no argument 'bye'"),
        (["mine:scaled", *RELU[:4], "--batch", "N"], "no argument begins with the batch axis 'N'"),
        (["broken:op", *DENSE], "broken:op cannot be imported: SyntaxError"),
        (["quits:op", *DENSE], "quits:op cannot be imported: SystemExit: 7"),
        (["mine:relu_0", *DENSE[:3], "4:int<0"], "integers below 0 there are none"),
        (
            ["mine:relu_0", *RELU[:4], "--json", "no/where.json"],
            "cannot be written: no folder",
        ),
        (["--seed", "-1"], "seed must be from 0 to"),
        (["mine:right_dense", *DENSE, "--reduces", "max"], "reduces must be sum, mean or mixed"),
    ],
)
def test_what_is_no_question_is_rejected_in_one_line(words, message, capsys):
    assert code_of("verify", *words) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert re.search(message, lines[0])


def test_the_table_of_all_layers_is_whole_on_80_columns(capsys: pytest.CaptureFixture):
    found = [
        Verification(one.name, VerificationResult(one.name, ()), {}, 0, 200) for one in OP_SPECS
    ]
    _verify_layers_run._print_table(Console(width=80), found, 0)
    printed = capsys.readouterr().out
    assert printed.count(" 0/200") == len(OP_SPECS)
    assert all(f" {check} " in printed for check in CHECKS)
    assert max(map(len, printed.splitlines())) <= 80
