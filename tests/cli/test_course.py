"""``ffnn-jax course``, and what train and verify do in its folder."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ffnn_jax import layers
from ffnn_jax.cli import _train
from ffnn_jax.course import USUAL
from tests.cli.conftest import code_of

REJECTED = """
import json, sys
from ffnn_jax.cli import main
for words in json.loads(sys.argv[1]):
    try:
        main(["course", *words])
    except SystemExit as end:
        assert end.code == 2
print([name for name in ("jax", "numpy") if name in sys.modules])
"""


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_compilation: None) -> Path:
    """The current folder, with two chapters; the package's operations are restored."""
    assert code_of("course", tmp_path / "course", "--chapters", "relu,add", "--answers") == 0
    monkeypatch.chdir(tmp_path / "course")
    for name in ("relu", "add"):
        monkeypatch.setattr(layers, name, getattr(layers, name))
    return tmp_path / "course"


def test_a_folder_is_written_with_the_usual_chapters(tmp_path, capsys):
    assert code_of("course", tmp_path / "new") == 0
    begin = f"begin with {tmp_path / 'new' / 'README.md'}"
    assert capsys.readouterr().out == f"{', '.join(USUAL)} written to {tmp_path / 'new'}; {begin}\n"
    chapters = {file.stem for file in (tmp_path / "new" / "chapters").iterdir()}
    assert chapters == {*USUAL}
    assert not (tmp_path / "new" / "answers").exists()


def test_invalid_options_are_rejected_in_one_line_before_jax_is_imported(tmp_path):
    rejected = {
        (): "course needs one DIR, as in ffnn-jax course assignment",
        ("a", "b"): "course needs one DIR",
        ("a", "--chapters", "dens"): "; did you mean dense?",
        (str(tmp_path),): "must be a new or an empty folder",
        ("a", "--json", "f.json"): "--json needs --grade, as in ffnn-jax course --grade class",
        ("--grade",): "--grade needs at least one DIR",
        ("--grade", "a", "--answers"): "goes without --answers",
        ("--grade", "a", "--json", "nowhere/f.json"): "cannot be written: no folder",
    }
    (tmp_path / "mine").write_text("")
    command = [sys.executable, "-c", REJECTED, json.dumps([*rejected])]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, "[]\n")
    for line, message in zip(ran.stderr.splitlines(), rejected.values(), strict=True):
        assert line.startswith("ffnn-jax: ") and message in line
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_verify_judges_the_chapters_of_the_folder(course, capsys):
    assert code_of("verify", "--json", "found.json") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"your chapters in {course}, by the package's references and checks"
    assert [line.split("  ")[0] for line in lines[1:]] == ["relu", "add", "0 of 2 right"]
    assert "not written" in lines[1] and "not written" in lines[2]
    found = json.loads((course / "found.json").read_text())["chapters"]
    assert [(one["name"], one["state"]) for one in found] == [
        ("relu", "not written"), ("add", "not written")
    ]  # fmt: skip
    (course / "answers" / "add.py").rename(course / "chapters" / "add.py")
    assert code_of("verify", "--layer", "add") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 of 1 right"


def test_a_class_is_graded(course, capfd):
    (course / "answers" / "add.py").rename(course / "chapters" / "add.py")
    assert code_of("course", "--grade", course, "--chapters", "add", "--json", "grades.json") == 0
    assert capfd.readouterr().out.splitlines() == [
        "student  total  add  remark",
        "course   100    100",
    ]
    (graded,) = json.loads((course / "grades.json").read_text())["students"].values()
    assert graded["total"] == 100
    assert code_of("course", "--grade", course / "nobody") == 2
    assert capfd.readouterr().err.startswith("ffnn-jax: --grade ")


def test_what_the_package_itself_answers_stays_the_package_s(course, capsys):
    assert code_of("verify", "--list-faults", "--layer", "relu") == 0
    assert "relu: gate inverted" in capsys.readouterr().out
    assert code_of("verify", "--layer", "max_pool") == 2
    assert "not a chapter of this course (known: relu, add)" in capsys.readouterr().err
    for option in (["--thorough"], ["--seed", "3"], ["--prove"]):
        assert code_of("verify", *option) == 2
        assert "verify takes only --layer and --json" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("verify",), ("train", "course")])
def test_inside_a_course_nothing_is_taken_for_the_package_s(course, capsys, monkeypatch, words):
    monkeypatch.chdir(course / "chapters")
    assert code_of(*words) == 2
    assert f"a course's commands are run in its folder, {course}" in capsys.readouterr().err


def test_train_uses_the_chapters_of_the_folder_and_says_so(course, capsys, monkeypatch):
    before = layers.relu
    monkeypatch.setattr(_train, "run_with_signals", lambda *args: None)
    assert code_of("train", "course", "--no-cache") == 0
    assert capsys.readouterr().err == "with your chapters in this folder: relu, add\n"
    assert layers.relu is not before and layers.relu.__module__ == "chapters.relu"


def test_train_elsewhere_says_nothing_of_chapters(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = dict(vars(layers))
    monkeypatch.setattr(_train, "run_with_signals", lambda *args: None)
    assert code_of("train", "course", "--no-cache") == 0
    assert capsys.readouterr().err == ""
    assert vars(layers) == before


def test_a_chapter_that_cannot_be_read_stops_training_in_one_line(course, capsys):
    (course / "chapters" / "add.py").write_text("def add(:\n")
    assert code_of("train", "course") == 2
    assert capsys.readouterr().err.startswith("ffnn-jax: chapters/add.py: SyntaxError: ")


@pytest.mark.slow
def test_a_course_with_every_backward_missing_trains_to_nine_tenths(tmp_path):
    """Some minutes, nearly all of them forward passes; then solved, in seconds, to the same."""
    assert code_of("course", tmp_path / "mine", "--answers") == 0
    accuracies = []
    for run in ("missing", "solved"):
        command = [sys.executable, "-m", "ffnn_jax", "train", "course", "--run-dir", run]
        ran = subprocess.run(command, cwd=tmp_path / "mine", capture_output=True, text=True)
        assert ("central differences are used instead" in ran.stderr) == (run == "missing")
        (line,) = (line for line in ran.stdout.splitlines() if line.startswith("seed 0: "))
        accuracies.append(float(line.split()[-1]))
        for file in (tmp_path / "mine" / "answers").iterdir():
            file.rename(tmp_path / "mine" / "chapters" / file.name)
    assert min(accuracies) > 0.9
    assert abs(accuracies[0] - accuracies[1]) < 0.02
