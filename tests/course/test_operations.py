"""A student's chapters take the place of the package's, by name and in one process."""

from pathlib import Path

import jax
import numpy as np
import pytest

from ffnn_jax import layers
from ffnn_jax.catalogue import DENSE, OP_SPECS
from ffnn_jax.config import UserError, preset
from ffnn_jax.course import load_operations, use_chapters, write_course
from ffnn_jax.course._operations import load_chapter, rows_of, spec_of
from ffnn_jax.layers.fast import forms
from ffnn_jax.network import Network, partition
from ffnn_jax.training._gradients import make_loss

USED = ("dense", "relu", "softmax_loss", "conv", "pool")
OPERATIONS = (
    "dense",
    "dense_column",
    "relu",
    "softmax",
    "softmax_cross_entropy",
    "conv2d",
    "max_pool",
)


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course's folder, after whose use the package's operations are in place again."""
    write_course(tmp_path / "course", [*USED, "training"], with_answers=True)
    for name in OPERATIONS:
        monkeypatch.setattr(layers, name, getattr(layers, name))
    return tmp_path / "course"


def solve(course: Path, *chapters: str) -> None:
    for chapter in chapters:
        (course / "answers" / f"{chapter}.py").rename(course / "chapters" / f"{chapter}.py")


def loss_and_gradients() -> list[jax.Array]:
    """Of the network of the preset course, on two images."""
    settings = preset("course")
    network = Network(settings.layers, (28, 28, 1))
    params, state = network.init(jax.random.key(0))
    images = np.random.default_rng(0).normal(size=(2, 28, 28, 1)).astype("float32")
    batch = images, np.array([3, 8]), None
    trained, frozen = partition(params, network.param_attribute("trained"))
    with forms(settings.forms or ()):
        of_params = jax.jit(jax.value_and_grad(make_loss(network, "float32"), has_aux=True))
        (loss, _), gradients = of_params(trained, frozen, state, batch)
    return [loss, *jax.tree.leaves(gradients)]


def test_a_chapter_may_define_dataclasses_with_annotations_as_text(tmp_path: Path):
    text = "from __future__ import annotations\nimport dataclasses\n"
    (tmp_path / "mine.py").write_text(f"{text}@dataclasses.dataclass\nclass Kept:\n    x: int\n")
    assert load_chapter(tmp_path / "mine.py").Kept(3).x == 3


def test_only_the_operations_are_replaced(course: Path):
    before = dict(vars(layers))
    assert use_chapters(course) == USED
    replaced = {name for name, value in vars(layers).items() if value is not before[name]}
    assert replaced == {*OPERATIONS}
    assert layers.dense.__module__ == "chapters.dense"
    assert DENSE.op is before["dense"]


def test_another_folder_replaces_nothing(tmp_path: Path):
    before = dict(vars(layers))
    assert use_chapters(tmp_path) == ()
    assert vars(layers) == before


def test_a_full_solution_gives_the_same_bits_as_the_package(course: Path):
    expected = loss_and_gradients()
    solve(course, *USED)
    use_chapters(course)
    for ours, theirs in zip(loss_and_gradients(), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_network_has_gradients_before_anything_is_written(course: Path, capsys):
    expected = loss_and_gradients()
    use_chapters(course)
    for ours, theirs in zip(loss_and_gradients(), expected, strict=True):
        assert np.linalg.norm(ours - theirs) < 0.1 * np.linalg.norm(theirs)
    said = {line.partition(":")[0] for line in capsys.readouterr().err.splitlines()}
    assert said == {"dense", "relu", "softmax_cross_entropy", "conv2d", "max_pool"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def f(:\n", r"mine.py: SyntaxError: .*line 1"),
        ("\n1 / 0\n", r"mine.py: ZeroDivisionError: division by zero$"),
        ("raise SystemExit('bye')", r"mine.py: SystemExit: bye$"),
    ],
)
def test_a_chapter_that_cannot_be_imported_is_one_line(text, message, tmp_path):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(UserError, match=message) as raised:
        load_operations(tmp_path / "mine.py")
    assert "\n" not in str(raised.value)


def test_a_missing_chapter_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"none.py: FileNotFoundError"):
        load_operations(tmp_path / "none.py")


def test_an_operation_of_one_s_own_is_loaded_too(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import jax\n__all__ = ['double']\n"
        "@jax.custom_vjp\ndef double(x):\n    return 2 * x\n"
        "def backward(residuals, dz):\n    raise NotImplementedError\n"
        "double.defvjp(lambda x: (2 * x, None), backward)\n"
    )
    double = load_operations(tmp_path / "mine.py")["double"]
    np.testing.assert_allclose(jax.grad(double)(3.0), 2, rtol=1e-4)


def test_rows_are_moved_at_once_where_they_do_not_depend_on_one_another():
    names = "conv2d", "softmax", "softmax_cross_entropy", "batch_norm", "none"
    assert [rows_of(spec_of(name)) for name in names] == [[4, 0, 0], [2], (), (), ()]


@pytest.mark.parametrize("spec", OP_SPECS, ids=lambda spec: spec.name)
def test_where_rows_are_moved_at_once_they_are_rows_of_every_output(spec):
    sizes = spec.cases[0].sizes[0]
    args = spec.draw_arguments(spec.cases[0], sizes)
    z = jax.eval_shape(lambda *a: spec.op(*a, *spec.cases[0].static.values()), *args)
    for argument, rows in zip(args, rows_of(spec) or [0] * len(args), strict=True):
        for leaf in jax.tree.leaves(z) if rows else ():
            assert leaf.shape[0] == len(argument) == sizes[spec.batch]
