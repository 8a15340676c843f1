import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import jax
import pytest

import ffnn_jax.layers
import ffnn_jax.optim

ROOT = Path(__file__).parents[1]
TAG = re.compile(r"\((\d+|[a-z]+\.\d+)\)")


def modules(package):
    infos = pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
    return [importlib.import_module(info.name) for info in infos]


def defines_operation(module):
    """Whether the module defines an operation."""
    operations = [value for value in vars(module).values() if isinstance(value, jax.custom_vjp)]
    return any(operation.__module__ == module.__name__ for operation in operations)


def defined_tags(chapter):
    """Tags at the end of a docstring line, where an equation is defined."""
    return set(re.findall(TAG.pattern + "$", str(chapter.__doc__), re.M))


def used_tags(chapter):
    """Tags in the comments of the code."""
    code = Path(str(chapter.__file__)).read_text().split('"""', 2)[2]
    return {tag for comment in re.findall(r"#(.*)", code) for tag in TAG.findall(comment)}


LAYERS = [module for module in modules(ffnn_jax.layers) if defines_operation(module)]
CHAPTERS = [*LAYERS, *(module for module in modules(ffnn_jax.optim) if defined_tags(module))]
each_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.__name__)
each_layer = pytest.mark.parametrize("chapter", LAYERS, ids=lambda chapter: chapter.__name__)


@each_chapter
def test_every_tag_in_the_code_is_defined_in_the_chapter_and_tested(chapter):
    tests = "".join(path.read_text() for path in ROOT.glob("tests/**/test_*.py"))
    tested = set(TAG.findall(tests)) | tags_in_ranges(tests) | tags_in_test_names(tests)
    assert used_tags(chapter) <= defined_tags(chapter)
    assert used_tags(chapter)
    assert defined_tags(chapter) <= tested


def tags_in_ranges(text):
    """Tags within ranges such as (1)-(16)."""
    ranges = re.findall(r"\(([a-z]+\.)?(\d+)\)-\((?:[a-z]+\.)?(\d+)\)", text)
    return {f"{name}{n}" for name, low, high in ranges for n in range(int(low), int(high) + 1)}


def tags_in_test_names(text):
    """Tags within test names, such as test_..._conv_1_... or test_..._17_..."""
    names = " ".join(re.findall(r"def (test_\w+)", text))
    return {
        tag.strip("_").replace("_", ".") for tag in re.findall(r"_((?:[a-z]+_)?\d+)(?=_|\b)", names)
    } | set(re.findall(r"_(\d+)(?=_|\b)", names))


def test_all_the_reports_equations_are_defined():
    tags = set().union(*map(defined_tags, CHAPTERS))
    assert {str(n) for n in range(1, 26)} <= tags


def test_every_operation_has_a_chapter_and_three_public_functions():
    names = set(ffnn_jax.layers.__all__)
    wired = {name for name in names if isinstance(vars(ffnn_jax.layers)[name], jax.custom_vjp)}
    assert {vars(ffnn_jax.layers)[name].__module__ for name in wired} == {
        chapter.__name__ for chapter in LAYERS
    }
    operations = {name for name in names if not name.endswith(("_forward", "_backward"))}
    assert names == {
        f"{name}{suffix}" for name in operations for suffix in ("", "_forward", "_backward")
    }


@each_layer
def test_a_chapter_uses_no_autodiff(chapter):
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
def test_importing_a_package_defers_heavy_imports(package, heavy):
    code = f"import sys, {package}; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
