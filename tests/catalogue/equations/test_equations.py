"""The chapters' tagged equations: their docstrings and tables agree, and algebra proves them."""

import dataclasses
import importlib
import inspect
import pkgutil
import re

import jax
import jax.numpy as jnp
import pytest

import ffnn_jax.layers
import ffnn_jax.layers.fast
import ffnn_jax.optim

pytest.importorskip("flint")

from ffnn_jax.catalogue.equations import EQUATIONS, WITHOUT_ALGEBRA, Equation

# a gather of the interpreter's whole numbers has a fill value that is none
pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
BY_DEFAULT = ("_relu", "_sigmoid", "_scale", "_momentum", "_nesterov", "_rms_norm")
"""Chapters that the default run proves."""
TAG = re.compile(r" \(((?:[a-z]+\.)?\d+)\)$")


def equations_of(docstring):
    """(tag, text) of every equation: indented lines, the last of which ends in the tag."""
    lines = []
    for line in inspect.cleandoc(docstring).splitlines():
        lines = [*lines, line] if line.startswith("    ") else []
        if lines and (tag := TAG.search(line)):
            text = " ".join(" ".join(lines).split())
            yield tag[1], TAG.sub("", text)
            lines = []


def chapters():
    """Every module that defines a tag, by name, with its equations."""
    packages = ffnn_jax.layers, ffnn_jax.layers.fast, ffnn_jax.optim
    names = (
        info.name for package in packages
        for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
    )  # fmt: skip
    docstrings = {name: importlib.import_module(name).__doc__ or "" for name in names}
    found = {name: list(equations_of(docstring)) for name, docstring in docstrings.items()}
    return {name: equations for name, equations in found.items() if equations}


CHAPTERS = chapters()
each_chapter = pytest.mark.parametrize("chapter", CHAPTERS)
each_chapter_or_a_sample = pytest.mark.parametrize(
    "chapter",
    [
        pytest.param(name, marks=() if name.rpartition(".")[2] in BY_DEFAULT else pytest.mark.slow)
        for name in CHAPTERS
    ],
)


def joined(texts):
    """Texts without the spaces and commas between them."""
    return "".join(texts).replace(" ", "").replace(",", "")


def test_a_docstring_is_read_line_by_line():
    docstring = """A chapter (1).

    Prose that ends in a tag, (2)

        a = b                   (3)
          = c +
            d                   (x.4)

        no tag

        e = f                   (5)
    """
    assert list(equations_of(docstring)) == [("3", "a = b"), ("x.4", "= c + d"), ("5", "e = f")]


def test_every_chapter_with_tags_has_a_table():
    assert set(EQUATIONS) == set(WITHOUT_ALGEBRA) == set(CHAPTERS)


@each_chapter
def test_a_tag_is_in_the_table_or_listed_without_algebra(chapter):
    in_table = {equation.tag for equation in EQUATIONS[chapter]}
    assert in_table | set(WITHOUT_ALGEBRA[chapter]) == {tag for tag, _ in CHAPTERS[chapter]}
    assert not in_table & set(WITHOUT_ALGEBRA[chapter])


@each_chapter
def test_a_tags_texts_are_all_that_the_docstring_says_under_it(chapter):
    for tag in {equation.tag for equation in EQUATIONS[chapter]}:
        written = [text for each, text in CHAPTERS[chapter] if each == tag]
        texts = [equation.text for equation in EQUATIONS[chapter] if equation.tag == tag]
        assert all(any(text in line for line in written) for text in texts)
        assert joined(texts) == joined(written)


@each_chapter_or_a_sample
def test_the_equations_are_proved(chapter):
    proofs = {equation.text: equation.prove() for equation in EQUATIONS[chapter]}
    assert not {text: str(proof) for text, proof in proofs.items() if not proof}


@each_chapter_or_a_sample
def test_every_equation_could_fail(chapter):
    for equation in EQUATIONS[chapter]:
        wrong = dataclasses.replace(equation, right=plus_one(equation.right))
        assert wrong.prove().verdict == "disproved", equation.text


def plus_one(side):
    """A function whose every output is greater by 1."""
    return lambda *arrays: jax.tree.map(lambda leaf: leaf + 1.0, side(*arrays))


def equation_of(chapter, tag):
    return next(e for e in EQUATIONS[f"ffnn_jax.{chapter}"] if e.tag == tag)


FAULTS = {
    "a factor 2": ("layers._relu", "17", lambda x: 2 * jnp.maximum(x, 0)),
    "the sign": ("layers._log_softmax", "logsoftmax.3", lambda x, dz: (jnp.sum(dz) * x - dz,) * 2),
    "a transpose left out": ("layers._dense", "4", lambda x, w, b, dz: w.reshape(3, 2) @ dz),
    "the mean for the sum": (
        "layers._scale", "scale.3", lambda x, factor, dz: jnp.mean(dz * x, axis=0)
    ),
    "x and dz exchanged": (
        "layers._dense", "9", lambda x, w, b, dz: (x[:, None] @ dz[None, :]).reshape(2, 3)
    ),
    "one sign of several": (
        "layers._weight_standardisation", "weight.6",
        lambda w, dz: (jnp.zeros_like(w[0]), jnp.ones_like(w[0])),
    ),
    "a term left out": ("optim._nesterov", "nesterov.1", lambda g, w, decay: g),
    "the old m for the new one": (
        "optim._nesterov", "nesterov.3",
        lambda m, g, w, mu, alpha, decay: w - alpha * (g + decay * w + mu * m),
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_equation_is_disproved(fault):
    chapter, tag, right = FAULTS[fault]
    wrong = dataclasses.replace(equation_of(chapter, tag), right=right)
    assert wrong.prove().verdict == "disproved"


def test_sides_of_different_shapes_are_refused():
    wrong = Equation("1", "", lambda x: x.T, lambda x: x, "AxB", {"A": 1, "B": 2})
    with pytest.raises(ValueError, match="the sides have shapes"):
        wrong.prove()
