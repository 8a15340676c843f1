import contextlib
import dataclasses
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from rich.console import Console

from ffnn_jax.catalogue import OP_SPECS, Verification, on_all_cores
from ffnn_jax.cli import _verify_layers_run
from ffnn_jax.cli._verify_child import events
from ffnn_jax.verify import CHECKS, Check, VerificationResult, check_vjp
from tests.cli.conftest import code_of, in_a_process
from tests.systems import linux

MODULE = """
import jax

print("{")  # no result may be lost in what a module prints

def reference(x):
    return 3 * x

def custom_vjp_with(slope):
    op = jax.custom_vjp(reference)
    op.defvjp(lambda x: (3 * x, None), lambda _, dz: (slope * dz,))
    return op

right, wrong = custom_vjp_with(3), custom_vjp_with(2)
number = 3

def fails_to_draw(generator):
    return {}["no such argument"]

def shows_its_shape(x):
    print(x.shape)
    return x
"""
RULES = """
import mine
from ffnn_jax.verify import CHECKS, Rule

few = dict.fromkeys(CHECKS[3:], "to be quick")
right = Rule(mine.right, mine.reference, ("3x4",), skip=few, name="the :two:")
table = {
    "first": Rule(mine.wrong, mine.reference, ("3x4",), skip=few, name="wrong"),
    "again": right,
    "not a rule": 3,
}
"""
HANGS = """
import os
from pathlib import Path

import rules
from ffnn_jax.verify import Rule

def hangs(x):
    Path("process").write_text(str(os.getpid()))
    while True:
        pass

def crashes(x):
    os._exit(5)

def leaves(x):
    raise SystemExit("enough")

every = [*(Rule(op, None, ("N",)) for op in (hangs, crashes, leaves)), rules.right]
"""
WRONG = ["mine:wrong", "--shapes", "NxD"]
OPTIONS = {
    "reference": None, "shapes": "NxD", "batch": None, "thorough": False, "seed": 0,
    "timeout": 600.0, "figure": None, "again": "the command", "first": 0, "prove": False,
}  # fmt: skip


def write_modules(folder: Path) -> None:
    (folder / "mine.py").write_text(MODULE)
    (folder / "rules.py").write_text(RULES)
    (folder / "hangs.py").write_text(HANGS)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with modules that can be imported, here and in other processes."""
    write_modules(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A folder, and what the command printed on its rules: one is right, one is wrong."""
    folder = tmp_path_factory.mktemp("rules")
    write_modules(folder)
    options = ["--json", "all.json", "--figure", "error.png"]
    return folder, in_a_process(folder, "verify", "rules.py", *options)


def result_of(op: str, **options: Any) -> dict[str, Any]:
    """The last event of a child process, in this process."""
    return list(events(OPTIONS | {"op": op} | options))[-1]


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


def test_a_function_of_one_s_own_is_proved_or_disproved(folder: Path):
    pytest.importorskip("flint")
    asked = {"prove": True, "reference": "mine:reference", "shapes": "NxD"}
    right, wrong = (result_of(f"mine:{name}", **asked) for name in ("right", "wrong"))
    assert right["text"].startswith("mine:right: proved at 2x3, 1 case, ")
    assert right["result"]["passed"]
    assert wrong["text"].startswith("mine:wrong: disproved at 2x3, ")
    assert not wrong["result"]["passed"]


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


def test_a_rule_that_hangs_crashes_or_raises_fails_and_the_next_is_checked(folder, capsys):
    assert code_of("verify", "hangs.py", "--timeout", "6") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "hangs: FAILS, its process was stopped after 6 s"
    assert lines[1] == "crashes: FAILS, its process ended with exit code 5"
    assert lines[2] == "leaves: FAILS, SystemExit: enough"
    assert lines[3] == "the :two:: all checks hold"
    assert lines[-1] == "4 rules: 1 pass, 3 FAIL (hangs, crashes, leaves)"
    assert not is_running(int((folder / "process").read_text()))


@linux
@pytest.mark.parametrize(("name", "code"), [("SIGKILL", -9), ("SIGINT", 130)])
def test_the_process_that_checks_ends_with_its_parent(folder: Path, name: str, code: int):
    command = [sys.executable, "-m", "ffnn_jax", "verify", "hangs.py"]
    parent = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    file = folder / "process"
    wait_until(lambda: file.exists() and file.read_text() != "")
    parent.send_signal(signal.Signals[name])
    _, errors = parent.communicate(timeout=20)
    assert parent.returncode == code
    assert errors == "{\n" + ("ffnn-jax: interrupted\n" if code == 130 else "")
    wait_until(lambda: not is_running(int(file.read_text())))


def wait_until(condition: Any, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(process: int) -> bool:
    with contextlib.suppress(OSError):
        state = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0]
        return state != "Z"
    return False


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
