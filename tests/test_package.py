import re
import subprocess
import sys
from pathlib import Path

import pytest

import ffnn_jax.layers
import ffnn_jax.optim
from ffnn_jax.layers import _conv, _dense, _leaky_relu, _pool, _relu, _sigmoid, _softmax_loss
from ffnn_jax.optim import _momentum

ROOT = Path(__file__).parents[1]
CHAPTERS = (_dense, _relu, _softmax_loss, _momentum, _conv, _pool, _leaky_relu, _sigmoid)
TAG = re.compile(r"\((\d+|[a-z]+\.\d+)\)")


def defined(chapter):
    """Tags at the end of a line of the docstring: where an equation is defined."""
    return set(re.findall(TAG.pattern + "$", str(chapter.__doc__), re.M))


def used(chapter):
    code = Path(str(chapter.__file__)).read_text().split('"""', 2)[2]
    return {tag for comment in re.findall(r"#(.*)", code) for tag in TAG.findall(comment)}


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.__name__)
def test_every_tag_in_the_code_is_defined_in_the_chapter_and_tested(chapter):
    tests = "".join(path.read_text() for path in ROOT.glob("tests/*/test_*.py"))
    tested = set(TAG.findall(tests)) | ranges(tests) | in_names(tests)
    assert used(chapter) <= defined(chapter)
    assert used(chapter)
    assert defined(chapter) <= tested


def ranges(text):
    """Tags within ranges such as (1)-(16)."""
    found = re.findall(r"\(([a-z]+\.)?(\d+)\)-\((?:[a-z]+\.)?(\d+)\)", text)
    return {f"{name}{n}" for name, low, high in found for n in range(int(low), int(high) + 1)}


def in_names(text):
    """Tags within the names of tests, such as test_..._conv_1_... or test_..._17_..."""
    names = " ".join(re.findall(r"def (test_\w+)", text))
    return {
        tag.strip("_").replace("_", ".") for tag in re.findall(r"_((?:[a-z]+_)?\d+)(?=_|\b)", names)
    } | set(re.findall(r"_(\d+)(?=_|\b)", names))


def test_all_the_reports_equations_are_defined():
    tags = set().union(*map(defined, CHAPTERS))
    assert {str(n) for n in range(1, 26)} <= tags


def test_every_operation_has_its_three_functions_in_public():
    names = set(ffnn_jax.layers.__all__)
    operations = {name for name in names if not name.endswith(("_forward", "_backward"))}
    assert names == {
        f"{name}{part}" for name in operations for part in ("", "_forward", "_backward")
    }


@pytest.mark.parametrize("chapter", [c for c in CHAPTERS if c is not _momentum])
def test_no_autodiff_inside_a_chapter(chapter):
    code = Path(str(chapter.__file__)).read_text()
    assert not re.findall(r"jax\.(grad|vjp|jvp|jacrev|jacfwd|linearize|linear_transpose)", code)


HEAVY = ("jax", "numpy", "tensorflow_datasets", "matplotlib", "rich", "tyro")


@pytest.mark.parametrize(
    ("package", "heavy"),
    [
        ("ffnn_jax", HEAVY),
        ("ffnn_jax.runs", ("tensorflow_datasets", "matplotlib", "jinja2", "tyro")),
    ],
)
def test_importing_a_package_imports_nothing_that_can_wait(package, heavy):
    code = f"import sys, {package}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
