"""Each chapter of ffnn_jax.layers can be handed out, and none of its answers is left."""

import ast
import json
import re
from pathlib import Path

import pytest

from ffnn_jax import layers
from ffnn_jax.config import UserError
from ffnn_jax.course import USUAL, course_chapters, select_chapters, write_course
from ffnn_jax.course._chapters import CHAPTERS, definition_of, source_of

MENTION = re.compile(r"(?<![\w^\]])\((\d\d?|[a-z]+\.\d+)\)")
HELPERS = {
    "softmax_loss": {"_log_softmax"},
    "conv": {"_im2col_images", "_im2col_kernels"},
    "upsample": {"_collect", "_phases"},
    "training": {
        "momentum_update", "draw_batch", "mean_recall", "count_parameters", "digit_of_class",
        "start_deviation",
    },
}  # fmt: skip
each_chapter = pytest.mark.parametrize("chapter", CHAPTERS)


def functions_of(source: str) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]


def is_answer(chapter: str, function: ast.FunctionDef) -> bool:
    return function.name.endswith("backward") or function.name in HELPERS.get(chapter, ())


def lines_of(source: str, function: ast.FunctionDef) -> list[str]:
    """The lines of a function's body without its docstring."""
    first = function.body[ast.get_docstring(function) is not None]
    return source.splitlines()[first.lineno - 1 : function.end_lineno]


def answers_of(chapter: str) -> set[str]:
    """The lines of the answers that are nowhere else in the package's file, and the equations."""
    source, definition = source_of(chapter), definition_of(chapter)
    answers = [f for f in functions_of(source) if is_answer(chapter, f)]
    lines = [line.strip() for f in answers for line in lines_of(source, f)]
    kept = source
    for function in answers:
        kept = kept.replace("\n".join(lines_of(source, function)), "")
    equations, equation = [], []
    for line in str(ast.get_docstring(ast.parse(source), clean=False)).splitlines():
        equation = [*equation, line] if line.startswith("    ") else []
        if tag := re.search(r"\(([\w.]+)\)$", line):
            equations += [] if tag[1] in definition else equation
            equation = []
    cut = [re.sub(r" *\([\w.]+\)$", "", line).strip() for line in equations]
    bodies = {line.partition("  #")[0] for line in lines} - {n.strip() for n in kept.splitlines()}
    return {
        line for line in {*bodies, *cut} if len(line) > 9 and line not in kept.split('"""', 2)[2]
    }


@each_chapter
def test_no_answer_is_left_in_anything_that_is_written(chapter: str, tmp_path: Path):
    write_course(tmp_path / "course", [chapter])
    answers = answers_of(chapter)
    assert answers
    for file in (path for path in (tmp_path / "course").rglob("*") if path.is_file()):
        text = file.read_text("utf-8")
        if file.suffix == ".ipynb":
            text = "\n".join(cell["source"] for cell in json.loads(text)["cells"])
        assert set(MENTION.findall(text)) <= definition_of(chapter), file
        assert not [line for line in answers if line in text], file


@each_chapter
def test_what_is_not_an_answer_is_as_it_was(chapter: str, tmp_path: Path):
    write_course(tmp_path / "course", [chapter])
    cut = (tmp_path / "course" / "chapters" / f"{chapter}.py").read_text("utf-8")
    source, definition = source_of(chapter), definition_of(chapter)
    before, after = functions_of(source), {f.name: f for f in functions_of(cut)}
    for function in before:
        if is_answer(chapter, function):
            assert "raise NotImplementedError(" in "".join(lines_of(cut, after[function.name]))
            assert ast.dump(function.args) == ast.dump(after[function.name].args)
        elif function.name in after and "backward(" not in ast.unparse(function):
            kept = [re.sub("  # .*", "", line) for line in lines_of(cut, after[function.name])]
            assert kept == [re.sub("  # .*", "", line) for line in lines_of(source, function)]
    ends = re.findall(
        r"^    .*\(([\w.]+)\)$", str(ast.get_docstring(ast.parse(cut), clean=False)), re.M
    )
    assert set(ends) == definition - {"24", "25"}


def test_every_file_of_layers_that_defines_a_backward_is_a_chapter():
    files = Path(str(layers.__file__)).parent.glob("_*.py")
    defining = {
        file.stem[1:] for file in files if re.search(r"def \w*backward\(", file.read_text())
    }
    assert {*CHAPTERS} == defining - {"_init__", "activations"} | {"training"}


@pytest.mark.parametrize(
    ("chapter", "convention"),
    [
        ("relu", "this library takes 0."),
        ("pool", "the first in row-major order wins."),
        ("conv", "the kernel is not flipped"),
        ("softmax_loss", "A class out of range makes the loss NaN"),
        ("layer_norm", "the variance is the biased one"),
        ("dropout", "where m_i = 0, z_i is 0 even if x_i is infinite or NaN"),
        ("leaky_relu", "this library takes the slope."),
        ("adaptive_pool", "with R_i rows in bin i"),
    ],
)
def test_a_convention_that_a_student_must_know_stays(chapter, convention, tmp_path):
    write_course(tmp_path, [chapter])
    assert convention in " ".join((tmp_path / "chapters" / f"{chapter}.py").read_text().split())


def test_chapters_are_selected_by_name():
    assert select_chapters("pool,dense,pool") == ("pool", "dense")
    assert select_chapters("all") == CHAPTERS
    assert {*USUAL} <= {*CHAPTERS}
    with pytest.raises(UserError, match=r"^unknown chapter 'densse' .*; did you mean dense\?$"):
        select_chapters("relu,densse")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"chapters": ["dense"]}', '{"ffnn_jax_course": 1}']
)
def test_another_folder_is_not_a_course(text: str, tmp_path: Path):
    assert course_chapters(tmp_path) == ()
    (tmp_path / "course.json").write_text(text)
    assert course_chapters(tmp_path) == ()


def test_a_course_with_an_unknown_chapter_is_rejected(tmp_path: Path):
    (tmp_path / "course.json").write_text('{"ffnn_jax_course": ["relu", "rellu"]}')
    with pytest.raises(UserError, match="unknown chapter 'rellu'"):
        course_chapters(tmp_path)
