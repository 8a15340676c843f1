import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from rich.console import Console

from ffnn_jax.catalogue import OP_SPECS, Verification, on_all_cores
from ffnn_jax.cli import _verify_layers_run, _verify_run
from ffnn_jax.verify import CHECKS, Check, VerificationResult
from tests.cli.conftest import code_of, in_a_process
from tests.rules.conftest import modules_in, write_modules

pytestmark = pytest.mark.usefixtures("quick_compilation_of_the_module")

WRONG = ["mine:wrong", "--shapes", "NxD"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working folder, with modules that can be imported."""
    with modules_in(tmp_path, monkeypatch):
        yield tmp_path


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A folder, and what the command printed on its rules: one is right, one is wrong."""
    folder = tmp_path_factory.mktemp("rules")
    write_modules(folder)
    options = ["--json", "all.json", "--figure", "error.png"]
    return folder, in_a_process(folder, "verify", "rules.py", *options)


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


def test_a_layer_is_proved_and_its_faults_are_disproved(
    folder: Path, capsys: pytest.CaptureFixture
):
    pytest.importorskip("flint")
    assert code_of("verify", "--prove", "--layer", "dense_column", "--json", "proof.json") == 0
    result = json.loads((folder / "proof.json").read_text())
    row = result["layers"]["dense_column"]
    assert {proof["verdict"] for proof in row["proofs"]} == {"proved"}
    assert row["faults"]["dx negated"]["reason"].startswith("dx[")
    assert row["faults"]["dx left in float32"]["beyond"] == "dtypes"
    assert result["forms"] == result["equations"] == []
    printed = capsys.readouterr().out
    assert re.search(r"dense_column +2/2 +2 +18 .* 16/16 +4", printed)
    assert printed.endswith("overflow, infinities, NaN, second derivatives.\n")


def test_a_fault_that_is_not_disproved_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    right = {"verdict": "proved", "reason": "", "seconds": 0.1, "cases": 1, "entries": 2}
    undecided = right | {"verdict": "not decided", "reason": "the primitive sin", "sizes": {"N": 2}}

    def found(part, tasks, tell):
        fault = {"verdict": "proved", "reason": "", "beyond": ""}
        return {task: [undecided] if task[1] is None else fault for task in tasks}

    monkeypatch.setattr(on_all_cores, "run", found)
    assert code_of("verify", "--prove", "--layer", "relu") == 1
    printed = capsys.readouterr().out
    assert "relu at N=2: not decided, the primitive sin" in printed
    assert "relu, fault 'dx negated': proved\n" in printed


def test_the_primitives_of_a_proof_are_listed(capsys: pytest.CaptureFixture):
    pytest.importorskip("flint")
    assert code_of("verify", "--primitives") == 0
    assert {"dot_general", "exp", "select_n"} <= set(capsys.readouterr().out.split())


def test_a_proof_without_flint_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert code_of("verify", "--prove") == 2
    command = 'python -m pip install "ffnn-jax[proof]"'
    line = f"--prove needs python-flint, which is not installed: {command}\n"
    assert capsys.readouterr().err.endswith(line)


def test_every_rule_of_a_file_is_checked_in_order(checked):
    folder, run = checked
    assert run.returncode == 1
    titles = re.findall(r"^(.*): (?:all checks hold|fails cotangents)$", run.stdout, re.M)
    assert titles == ["the :two:", "wrong"]
    assert run.stdout.endswith("\n2 rules: 1 pass, 1 FAILS (wrong)\n")
    rules = json.loads((folder / "all.json").read_text())["rules"]
    assert {name: rule["passed"] for name, rule in rules.items()} == {
        "the :two:": True, "wrong": False,
    }  # fmt: skip
    again = "again: ffnn-jax verify rules.py --json all.json --figure error.png"
    assert again in run.stdout.splitlines()
    diagnosis = "diagnosis: dx is 0.66667 times what it should be"
    assert [line for line in run.stdout.splitlines() if "diagnosis" in line] == [diagnosis]
    assert {name: diagnosis in rule["details"] for name, rule in rules.items()} == {
        "the :two:": False, "wrong": True,
    }  # fmt: skip


def test_the_rules_that_fail_are_counted_and_named(monkeypatch, capsys: pytest.CaptureFixture):
    events = [(name, {"text": name, "result": {"passed": name == "b"}}) for name in "abc"]
    monkeypatch.setattr(_verify_run, "check_in_a_process", lambda request: events)
    assert _verify_run.verify_rules({"json": None, "figure": None}) == 1
    assert capsys.readouterr().out == "a\nb\nc\n3 rules: 1 pass, 2 FAIL (a, c)\n"


def test_what_a_module_prints_goes_to_standard_error(checked):
    _, run = checked
    assert run.stderr == "{\n"


def test_the_error_of_a_rule_that_fails_is_drawn(checked):
    folder, run = checked
    assert "figure of the error: error-2.png" in run.stdout.splitlines()
    assert [path.name for path in folder.glob("*.png")] == ["error-2.png"]
    with Image.open(folder / "error-2.png") as image:
        assert image.format == "PNG"


def test_a_function_is_checked_against_its_reference(folder: Path, capsys):
    options = ["--reference", "mine:reference", "--seed", "2", "--json", "-"]
    assert code_of("verify", *WRONG, *options) == 1
    output = capsys.readouterr()
    result = json.loads(output.out)["rules"]["mine:wrong"]
    assert not result["checks"]["cotangents"]["passed"]
    assert result["checks"]["value"]["passed"]
    again = "ffnn-jax verify mine:wrong --reference mine:reference --shapes NxD --seed 2 --json -"
    assert f"again: {again}" in output.err.splitlines()


def test_faults_are_listed_without_checking(capsys: pytest.CaptureFixture):
    assert code_of("verify", "--list-faults") == 0
    lines = capsys.readouterr().out.splitlines()
    pairs = [(spec, fault) for spec in OP_SPECS for fault in spec.all_faults]
    assert lines == [f"{spec.name}: {fault.name}" for spec, fault in pairs]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--layer", "desne"], "unknown layer 'desne'.*did you mean dense"),
        ([*WRONG, "--layer", "dense"], "a function or --layer, not both"),
        (["mine:wrong"], "needs MODULE:OP and --shapes, .* got 'mine:wrong'"),
        (["wrong", *WRONG[1:]], "needs MODULE:OP and --shapes, .* got 'wrong'"),
        (["--reference", "mine:reference"], "--reference needs the function to check"),
        (["--figure", "a.png"], "--figure needs the function to check"),
        (["rule.py"], r"rule.py: no such file of rules; did you mean rules.py\?"),
        (["rules.py", "--shapes", "N"], "--shapes belongs to MODULE:OP; a Rule in rules.py"),
        (["rules.py", "--figure", "a.pdf"], "figure must end in .png, got 'a.pdf'"),
        (["rules.py", "--timeout", "0"], "timeout must be above 0, got 0"),
        (["rules.py", "--json", "no/where.json"], "cannot be written: no folder"),
        (["rules.py", "--figure", "no/where.png"], "cannot be written: no folder"),
        (["--seed", "-1"], "seed must be from 0 to 2147483647, got -1"),
        (["--seed", str(2**31)], "seed must be from 0 to 2147483647, got 2147483648"),
        ([*WRONG, "--static", "by=2"], "Unrecognized options: --static"),
        ([*WRONG, "--kink", "x=0:0"], "Unrecognized options: --kink"),
        (["nowhere:op", *WRONG[1:]], "nowhere:op: ModuleNotFoundError: No module named 'nowhere'"),
    ],
)
def test_invalid_options_are_rejected_in_one_line(arguments, message, folder, capsys):
    assert code_of("verify", *arguments) == 2
    output = capsys.readouterr()
    assert len(output.err.splitlines()) == 1
    assert re.search(message, output.err)
    assert output.out == ""


def test_where_nothing_fails_there_is_no_figure(folder: Path, capsys):
    (folder / "good.py").write_text("import rules\na = rules.right")
    assert code_of("verify", "good.py", "--figure", "error.png") == 0
    assert capsys.readouterr().err == "no figure: no array failed, so there is no error to draw\n"
    assert not (folder / "error.png").exists()


@pytest.fixture
def empty_results() -> list[Verification]:
    return [
        Verification(spec.name, VerificationResult(spec.name, ()), {}, 0, 200) for spec in OP_SPECS
    ]


def test_the_table_of_all_layers_fits_80_columns(empty_results, capsys: pytest.CaptureFixture):
    _verify_layers_run._print_table(Console(width=80), empty_results, 0)
    printed = capsys.readouterr().out
    assert printed.count(" 0/200") == len(OP_SPECS)
    assert all(f" {check} " in printed for check in CHECKS)
    assert max(map(len, printed.splitlines())) <= 80


def test_a_layer_that_fails_shows_its_result_and_how_to_repeat_it(capsys: pytest.CaptureFixture):
    result = VerificationResult("relu", (Check("zero", False, 0.5, where="dx[1]"),))
    found = [Verification("relu", result, {"half": (), "sign": ("zero",)}, 0, 200)]
    _verify_layers_run._print_table(Console(width=80), found, 3)
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split() == ["zero", "FAILS", "5.0e-01"] for line in lines)
    assert "relu: fails zero" in lines
    assert "again: ffnn-jax verify --layer relu --seed 3" in lines
    assert "relu: no check catches the fault 'half'" in lines
    assert lines[-1] == "something FAILS; 1 of 2 planted faults caught"
