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

def reference_dense(x, w, b):
    return x @ w + b[None, :]

def custom_vjp_of(forward, backward):
    op = jax.custom_vjp(lambda *args: forward(*args)[0])
    op.defvjp(forward, backward)
    return op

def halved(residuals, dz):
    dx, dw, db = dense_backward(residuals, dz)
    return dx, dw / 2, db

correct_dense = custom_vjp_of(dense_forward, dense_backward)
wrong_dense = custom_vjp_of(dense_forward, halved)

def reference_relu(x):
    return jnp.maximum(x, 0)

def slope_at_zero(slope):
    def backward(x, dz):
        return (jnp.where(x > 0, dz, jnp.where(x == 0, slope * dz, 0 * dz)),)
    return custom_vjp_of(lambda x: (jnp.maximum(x, 0), x), backward)

relu_0, relu_half = slope_at_zero(0.0), slope_at_zero(0.5)

def scaled(x, by=1.0):
    return by * x
"""
DENSE = ["--reference", "mine:reference_dense", "--shapes", "NxD DxK K"]
RELU = ["--reference", "mine:reference_relu", "--shapes", "4x7", "--kink", "x=0:0"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mine.py").write_text(MODULE)
    (tmp_path / "broken.py").write_text("def op(:")
    (tmp_path / "quits.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_layer_of_the_package_passes_and_writes_json(folder: Path, capsys: pytest.CaptureFixture):
    assert code_of("verify", "--layer", "relu", "--json", "result.json") == 0
    result = json.loads((folder / "result.json").read_text())["layers"]["relu"]
    assert result["faults"] == {"planted": 15, "caught": 15}
    assert set(result["checks"]) <= set(CHECKS)
    assert all(check["passed"] and check["worst"] >= 0 for check in result["checks"].values())
    printed = capsys.readouterr().out
    assert "15/15" in printed
    assert "0/200" in printed
    assert "15 of 15 planted faults caught" in printed


@pytest.mark.parametrize(
    ("op", "options", "code"),
    [
        ("correct_dense", DENSE, 0),
        ("wrong_dense", DENSE, 1),
        ("relu_0", RELU, 0),
        ("relu_half", RELU, 1),
    ],
)
def test_a_users_correct_rule_passes_and_a_wrong_one_fails(op, options, code, capsys):
    assert code_of("verify", f"mine:{op}", *options) == code
    printed = capsys.readouterr().out
    if op == "wrong_dense":
        assert re.search(r"cotangents +FAILS .* d(w|arg1)\[\d+, \d+\] at N=3 D=4 K=5", printed)
    if op == "relu_half":
        assert re.search(r"kinks +FAILS .* d(x|arg0)\[\d, \d\] at x=0", printed)
    again = re.findall(r"^again: (.*)$", printed, re.M)
    assert again == ([] if code == 0 else [f"ffnn-jax verify mine:{op} {shell_quoted(options)}"])


def shell_quoted(arguments: list[str]) -> str:
    return " ".join(f"'{word}'" if " " in word else word for word in arguments)


def test_static_arguments_reach_both_functions(capsys):
    options = ["--reference", "mine:scaled", "--shapes", "3x2", "--static", "by=2.5"]
    assert code_of("verify", "mine:scaled", *options) == 0


def test_json_on_standard_output_stands_alone(capsys: pytest.CaptureFixture):
    assert code_of("verify", "mine:wrong_dense", *DENSE, "--json", "-") == 1
    checks = json.loads(capsys.readouterr().out)["layers"]["mine:wrong_dense"]["checks"]
    assert not checks["cotangents"]["passed"]
    assert checks["value"]["passed"]


def test_faults_are_listed_without_checking(capsys: pytest.CaptureFixture):
    assert code_of("verify", "--list-faults") == 0
    lines = capsys.readouterr().out.splitlines()
    pairs = [(spec, fault) for spec in OP_SPECS for fault in spec.all_faults]
    assert lines == [f"{spec.name}: {fault.name}" for spec, fault in pairs]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--layer", "desne"], "unknown layer 'desne'.*did you mean dense"),
        (["mine:correct_dense", "--shapes", "3"], "verify mine:correct_dense needs --reference"),
        (["--reference", "mine:reference_dense"], "--reference needs the function to check"),
        (["mine:nothing", *DENSE], "module mine has no function 'nothing'"),
        (
            ["nowhere:op", *DENSE],
            "nowhere:op cannot be imported: ModuleNotFoundError: No module named 'nowhere'",
        ),
        (["correct_dense", *DENSE], "a function must be given as MODULE:NAME, got 'correct_dense'"),
        (["mine:correct_dense", *DENSE[:3], "3*4"], "an argument must look like .* got '3\\*4'"),
        (["mine:correct_dense", *DENSE[:3], "3x4"], r"cannot be called with shapes \(3, 4\)"),
        (["mine:relu_0", *RELU[:-1], "x=0"], "kink must be ARGUMENT=VALUE:SLOPE"),
        (["mine:relu_0", *RELU[:-1], "y=0:0"], "kink: no argument 'y'"),
        (["mine:scaled", *DENSE, "--static", "by"], "static must be NAME=VALUE"),
        (["mine:scaled", *DENSE, "--static", "bye=2"], "static: no argument 'bye'"),
        (["mine:scaled", *RELU[:4], "--batch", "N"], "no argument begins with the batch axis 'N'"),
        (["broken:op", *DENSE], "broken:op cannot be imported: SyntaxError"),
        (["quits:op", *DENSE], "quits:op cannot be imported: SystemExit: 7"),
        (["mine:relu_0", *DENSE[:3], "4:int<0"], "the upper bound of integers must be at least 1"),
        (
            ["mine:relu_0", *RELU[:4], "--json", "no/where.json"],
            "cannot be written: no folder",
        ),
        (["--seed", "-1"], "seed must be from 0 to"),
        (["mine:correct_dense", *DENSE, "--reduces", "max"], "reduces must be sum, mean or mixed"),
    ],
)
def test_invalid_options_are_rejected_in_one_line(arguments, message, capsys):
    assert code_of("verify", *arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert re.search(message, lines[0])


def test_the_table_of_all_layers_fits_80_columns(capsys: pytest.CaptureFixture):
    results = [
        Verification(spec.name, VerificationResult(spec.name, ()), {}, 0, 200) for spec in OP_SPECS
    ]
    _verify_layers_run._print_table(Console(width=80), results, 0)
    printed = capsys.readouterr().out
    assert printed.count(" 0/200") == len(OP_SPECS)
    assert all(f" {check} " in printed for check in CHECKS)
    assert max(map(len, printed.splitlines())) <= 80
