"""What all commands share: error messages of tyro, and the structure of the command files."""

import ast
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ffnn_jax.cli
from ffnn_jax._console import plain_console
from ffnn_jax.cli import _main
from ffnn_jax.cli._main import _COMMANDS, _DATA_COMMANDS, _unboxed
from tests.cli.conftest import code_of

FOLDER = Path(ffnn_jax.cli.__file__).parent
IN_ONE_FILE = {"_course", "_export", "_page", "_summary", "_tune"}


@pytest.mark.parametrize("columns", ["20", "300"])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (
            ["trian"],
            ["Unrecognized options: trian; the commands are: train, predict, evaluate, "
             "export, page, summary, compare, tune, sweep, doctor, verify, course, data; did you "
             "mean train?"],
        ),
        (["data"], ["Expected one of {prepare, list, show}."]),
        (
            ["summary", "--dataset", "x.npz"],
            ["Unrecognized or misplaced options: --dataset x.npz; did you mean --shape?"],
        ),
        (["evaluate", "x", "--steps", "5"], ["Unrecognized or misplaced options: --steps 5"]),
        (
            ["train", "--optimizer", "adam"],
            ["Unrecognized options: --optimizer, adam; optimizer is set in a settings file (.toml) "
             "alone"],
        ),
        (["train", "--stepz"], ["Unrecognized options: --stepz; did you mean --steps?"]),
        (
            ["train", "--stepz", "5", "--bach-size", "2"],  # in either order
            [f"Unrecognized options: --stepz, 5, --bach-size, 2; did you mean {one}?; did you mean "
             f"{other}?" for one, other in
             [("--steps", "--batch-size"), ("--batch-size", "--steps")]],
        ),
        (["train", "--bla", "For full helptext"],
         ["Unrecognized options: --bla, For full helptext"]),
        (["train", "--steps"], ["Missing value for argument '--steps'. Expected 1 values."]),
        (["train", "--steps", "a"], ["Error parsing --steps: must be an integer, got 'a'"]),
        (
            ["evaluate"],
            ["Missing from ffnn-jax evaluate: RUN Run folder written by train, or its model.npz. "
             "(required)"],
        ),
        (
            ["predict", "run", "a.png", "--style", "none"],
            ["invalid choice 'none' for argument '--style'. Expected one of ('auto', 'digits', "
             "'plain')."],
        ),
    ],
)  # fmt: skip
def test_an_error_found_by_tyro_is_reported_in_one_line(
    words: list[str], lines: list[str], encoding: str, columns: str, capsys, monkeypatch
):
    """Fails if a new release of tyro draws another box, which _main must then support."""
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("tyro._fmtlib._should_use_utf8_drawing_chars", lambda: encoding == "utf-8")
    assert code_of(*words) == 2
    assert capsys.readouterr().err in [f"ffnn-jax: {line}\n" for line in lines]


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["verify", "--list-faults"]])
def test_a_closed_pipe_ends_a_command_quietly(words: list[str]):
    """As after "| head", where nobody reads standard output any more."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "ffnn_jax", *words]
    ran = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, timeout=120)
    os.close(write)
    assert (ran.returncode, ran.stderr) == (141, "")


@pytest.mark.parametrize("error", [OSError("no space"), ZeroDivisionError("0 / 0")])
def test_a_failure_that_is_not_the_user_s_has_code_1(error, monkeypatch, capsys):
    def fail(words):
        raise error

    monkeypatch.setattr(_main, "_run", fail)
    assert code_of("doctor") == 1
    assert str(error) in capsys.readouterr().err


def test_text_is_printed_as_it_is(capsys):
    text = ":cat: [bold]12[/bold] /a/path " + "long " * 40
    plain_console().print(text)
    assert capsys.readouterr().out == f"{text}\n"


def test_debug_may_stand_anywhere_and_changes_no_other_word(tmp_path: Path, capsys):
    """The folder is printed as it is, whatever it may mean to rich."""
    folder = tmp_path / "[bold]"
    folder.mkdir()
    assert code_of("data", "list", "--debug", "--data-dir", folder) == 0
    assert capsys.readouterr().out == f"no prepared data sets in {folder}\n"


def test_a_message_without_a_box_is_reported_unchanged():
    assert _unboxed("Error: no such shell\n") == "Error: no such shell"


def test_a_command_has_a_file_that_parses_and_a_file_that_runs():
    modules = {name: command.__module__ for name, command in _COMMANDS.items()}
    assert modules == {name: f"ffnn_jax.cli._{name}" for name in _COMMANDS}
    assert {command.__module__ for command in _DATA_COMMANDS.values()} == {"ffnn_jax.cli._data"}
    parse = {f"_{name}" for name in (*_COMMANDS, "data")}
    run = {path.stem.removesuffix("_run") for path in FOLDER.glob("*_run.py")}
    assert run == parse - IN_ONE_FILE | {"_verify_course", "_verify_layers", "_verify_proofs"}


def test_there_are_no_import_cycles():
    """Every import counts, also inside functions and for types."""
    imports = {path.stem: imports_of(path) for path in FOLDER.glob("_*.py")}
    while imports:
        last = {name for name, needed in imports.items() if not needed & imports.keys()}
        assert last, f"an import cycle among {sorted(imports)}"
        imports = {name: needed for name, needed in imports.items() if name not in last}


def imports_of(path: Path) -> set[str]:
    """The command files that a file imports from."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    modules = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    assert "ffnn_jax.cli" not in modules or path.stem == "__init__"
    return {name.removeprefix("ffnn_jax.cli.") for name in modules if "ffnn_jax.cli._" in name}


def test_files_that_parse_import_nothing_heavy_and_no_file_that_runs():
    heavy = ("jax", "numpy", "rich", "ffnn_jax.runs", "ffnn_jax.data", "ffnn_jax.cli._train_run")
    program = f"import sys, ffnn_jax.cli; print([name for name in {heavy} if name in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", program], env=os.environ, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "[]\n"


def test_matplotlib_does_not_warn_of_its_own_folders(capsys: pytest.CaptureFixture[str]):
    code_of("--version")
    logging.getLogger("matplotlib.font_manager").warning("Could not save font_manager cache")
    assert capsys.readouterr().err == ""
