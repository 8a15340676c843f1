"""The folder of a course: what is in it, and that it works as it is."""

import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from ffnn_jax.config import UserError
from ffnn_jax.course import USUAL, write_course
from ffnn_jax.course._chapters import CHAPTERS, source_of
from ffnn_jax.course._points import WEIGHTS

TEXTS = Path(__file__).parents[2] / "ffnn_jax" / "course" / "texts"
WORKED = {  # by hand, and the equations that the cases are instances of
    "dense": "(1), (4), (9), (10), (12), (14), (15), (16)",
    "relu": "(17), (19)",
    "softmax_loss": "(20), (21), (22), (23), (softmax.1)",
    "conv": "(conv.1), (conv.4), (conv.5), (conv.8)",
    "pool": "(pool.1), (pool.2), (pool.4), (pool.5), (pool.6)",
    "conv1d": "(line.1), (line.2), (line.3), (line.4)",
    "conv_transpose": "(transpose.1), (transpose.2), (transpose.3), (transpose.4), (transpose.5)",
    "adaptive_pool": "(adaptive.1), (adaptive.2), (adaptive.3), (adaptive.4), (adaptive.5)",
    "leaky_relu": "(leaky.1), (leaky.3)",
    "sigmoid": "(sigmoid.1), (sigmoid.5)",
    "dropout": "(dropout.1), (dropout.4)",
    "add": "(add.1), (add.3)",
    "upsample": "(upsample.3), (upsample.4), (upsample.5), (upsample.6)",
    "pad": "(pad.1), (pad.3)",
    "scale": "(scale.1), (scale.2), (scale.3)",
    "training": "(24), (25)",
}


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("course")
    write_course(folder, CHAPTERS, with_answers=True)
    return folder


@pytest.mark.parametrize(("chapter", "equations"), WORKED.items())
def test_the_package_s_chapter_passes_the_cases_worked_by_hand(chapter, equations, monkeypatch):
    """The tests that are handed out are the package's own of these equations, too."""
    room = "ffnn_jax.course" if chapter == "training" else "ffnn_jax.layers"
    monkeypatch.setitem(sys.modules, f"chapters.{chapter}", import_module(f"{room}._{chapter}"))
    monkeypatch.setitem(sys.modules, "chapters", type(sys)("chapters"))
    names: dict = {}
    exec((TEXTS / "tests" / f"test_{chapter}.txt").read_text(), names)
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert tests
    for test in tests:
        test()


def test_each_case_worked_by_hand_is_of_a_chapter():
    assert {file.stem for file in (TEXTS / "tests").iterdir()} == {
        f"test_{name}" for name in WORKED
    }


def test_a_course_has_these_files(tmp_path):
    write_course(tmp_path / "new" / "course", ["pad", "avg_pool"])
    files = {
        file.relative_to(tmp_path / "new" / "course").as_posix() for file in tmp_path.rglob("*.*")
    }
    assert files - {"../.."} == {
        "README.md", "course.json", "pytest.ini", "pad.ipynb", "avg_pool.ipynb",
        "chapters/pad.py", "chapters/avg_pool.py", "tests/test_pad.py",
    }  # fmt: skip


def test_answers_are_the_package_s_chapters(course):
    for chapter in CHAPTERS:
        assert (course / "answers" / f"{chapter}.py").read_text("utf-8") == source_of(chapter)


def test_the_page_names_every_backward_that_is_to_be_written(course):
    page = (course / "README.md").read_text("utf-8")
    for chapter in CHAPTERS:
        (row,) = re.findall(rf"^\| `{chapter}` \| .*", page, re.M)
        backwards = set(re.findall(r"def (\w*backward)\(", source_of(chapter)))
        assert backwards == set(re.findall(r"(\w*backward): d", row))
    assert "$" not in page


def test_the_page_says_what_each_check_is_worth(course):
    text = (course / "README.md").read_text("utf-8")
    assert [n for n, points in WEIGHTS.items() if points and f"{points} for {n}" not in text] == []


def test_a_folder_that_is_not_empty_is_rejected(tmp_path):
    (tmp_path / "mine").write_text("")
    for folder in (tmp_path, tmp_path / "mine"):
        with pytest.raises(UserError, match="must be a new or an empty folder"):
            write_course(folder, ["relu"])
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_pytest_runs_in_the_folder_as_it_is(tmp_path):
    """Nothing is solved, so that the tests fail, each with what is to be written."""
    write_course(tmp_path, ["relu"])
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "1 failed" in ran.stdout
    assert "NotImplementedError: relu_backward: dx" in ran.stdout


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_notebooks_are_valid_and_not_executed(course, chapter):
    notebook = nbformat.read(course / f"{chapter}.ipynb", as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    for cell in code:
        compile(cell.source, chapter, "exec")
    ids = [cell.id for cell in notebook.cells]
    assert ids == [
        name for name in ("definition", "derivation", "try", "check", "train") if name in ids
    ]
    assert ("try" in ids) == (chapter in WORKED and chapter != "training")


@pytest.mark.slow
@pytest.mark.parametrize("chapter", ["relu", "training"])
def test_a_notebook_runs_from_start_to_end(chapter, tmp_path):
    """That of relu before anything is written, that of training once it is."""
    write_course(tmp_path, USUAL, with_answers=chapter == "training")
    if chapter == "training":
        (tmp_path / "answers").rename(
            tmp_path / "chapters" / "..." if False else tmp_path / "solved"
        )
        for file in (tmp_path / "solved").iterdir():
            (tmp_path / "chapters" / file.name).write_text(file.read_text())
    notebook = nbformat.read(tmp_path / f"{chapter}.ipynb", as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=600, resources=resources).execute()
    printed = json.dumps([cell.get("outputs", []) for cell in notebook.cells])
    assert ("relu                    not written" in printed) == (chapter == "relu")
    losses = re.findall(r"loss ([\d.]+) in the first 10 steps, ([\d.]+) in the last", printed)
    assert len(losses) == (chapter == "training")
    assert all(float(last) < 0.5 * float(first) for first, last in losses)


def test_writing_a_course_needs_no_jax(tmp_path):
    code = (
        "import sys, pathlib, ffnn_jax.course as course\n"
        "course.write_course(pathlib.Path(sys.argv[1]), course.USUAL)\n"
        "print([name for name in ('jax', 'numpy') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
