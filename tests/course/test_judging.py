"""A student's operations are judged by the package's checks."""

from pathlib import Path

import pytest

from ffnn_jax.course import judge_chapter, write_course
from ffnn_jax.course._chapters import source_of


def judged(folder: Path, chapter: str, *changes: tuple[str, str]):
    """The judgements on the package's chapter with changes."""
    text = source_of(chapter)
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (folder / f"{chapter}.py").write_text(text)
    return list(judge_chapter(folder / f"{chapter}.py"))


def test_the_package_s_own_chapter_is_right_and_timed(tmp_path):
    (relu,) = judged(tmp_path, "relu")
    assert (relu.name, relu.state, relu.details) == ("relu", "right", "")
    assert relu.differences > relu.seconds > 0
    assert str(relu).startswith("relu                    right  ")
    assert " ms by differences, " in str(relu) and str(relu).endswith(" times as fast")


def test_what_is_handed_out_is_not_written_and_differences_are_timed(tmp_path):
    write_course(tmp_path, ["relu"])
    (relu,) = judge_chapter(tmp_path / "chapters" / "relu.py")
    assert (relu.state, relu.details, relu.seconds) == ("not written", "", None)
    assert relu.differences > 0
    assert str(relu).endswith(" ms by differences")


def test_a_wrong_backward_comes_with_the_table_of_its_checks(tmp_path):
    change = (
        "dx = jnp.where(positive, dz, jnp.zeros_like(dz))",
        "dx = jnp.where(positive, 2 * dz, 0)",
    )
    (relu,) = judged(tmp_path, "relu", change)
    assert (relu.state, relu.seconds) == ("wrong", None)
    assert relu.details.startswith("relu: fails cotangents, differences, ")
    assert "the ratio is 2 " in relu.details
    assert "not asked" not in relu.details
    assert relu.details.splitlines()[-1] == "diagnosis: dx is twice what it should be"


def test_the_convention_at_a_kink_is_checked(tmp_path):
    (relu,) = judged(tmp_path, "relu", ("return z, x > 0", "return z, x >= 0"))
    assert relu.details.startswith("relu: fails kinks\n")


def test_settings_are_judged_one_by_one(tmp_path):
    """Right where the value is 0, and where it is not if the backward does not ask for it."""
    first = "    (top, bottom), (left, right) = _sides(width)\n    dx"
    partly = f"    if value:\n        raise NotImplementedError\n{first}"
    (pad,) = judged(tmp_path, "pad", (first, partly))
    assert pad.state.startswith("right in ") and pad.details.startswith("not written: with width=")
    wrong = first.replace("    dx", "    dz = dz * (1 + (value != 0))\n    dx")
    (pad,) = judged(tmp_path, "pad", (first, wrong))
    assert pad.state.startswith("right in ") and "value=" in pad.details.splitlines()[0]


def test_an_operation_that_is_gone_is_missing(tmp_path):
    (tmp_path / "relu.py").write_text("relu_forward = 1\n")
    assert [str(one) for one in judge_chapter(tmp_path / "relu.py")] == [f"{'relu':<24}missing"]
    (tmp_path / "relu.py").write_text("relu = 1\n")
    (relu,) = judge_chapter(tmp_path / "relu.py")
    assert relu.state == "not a custom_vjp of ffnn_jax.layers"


def test_a_chapter_that_cannot_be_read_says_why(tmp_path):
    (tmp_path / "relu.py").write_text("x = (\n")
    (relu,) = judge_chapter(tmp_path / "relu.py")
    assert relu.state == "cannot be read" and "SyntaxError" in relu.details


def test_the_functions_of_the_chapter_training_are_judged(tmp_path):
    changes = ("index % 10", "index - 1"), ("replace=False", "replace=True"), (
        "return sum(math.prod", "raise NotImplementedError\n    return sum(math.prod"
    ), ("counts = np.asarray(confusion)", "counts = confusion.nothing")  # fmt: skip
    states = {one.name: (one.state, one.details) for one in judged(tmp_path, "training", *changes)}
    assert states["momentum_update"] == ("right", "")
    assert states["count_parameters"] == ("not written", "")
    assert states["draw_batch"] == (
        "wrong",
        "draw_batch: an index is in a batch twice: draw without repetition",
    )
    assert states["digit_of_class"][1].startswith("digit_of_class(")
    counted = "diagnosis: classes are counted from 0, not from 1"
    assert states["digit_of_class"][1].endswith(f"\n{counted}")
    assert states["mean_recall"][1].startswith("it raises AttributeError: ")


DENSE = "dx = product(dz, cast_to_compute(w, x).T)  # (14)"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ((DENSE, "return None"), "returns nothing: is its return missing?"),
        ((DENSE, "return dz"), "returns one array, not a tuple of cotangents, one for each of 3"),
        ((DENSE, "return dz @ w.T, dz"), "returns 2 cotangents, one for each of 3 array arguments"),
        (
            ("jnp.sum(dz, axis=0, dtype=accumulation_dtype(dz))", "dz"),
            "returns a db of shape (3, 5), but b has shape (5,)",
        ),
    ],
)
def test_what_is_not_a_cotangent_for_each_argument_is_said_in_a_line(tmp_path, change, problem):
    (dense,) = (one for one in judged(tmp_path, "dense", change) if one.name == "dense")
    assert dense.state == "wrong"
    assert dense.details.startswith(f"dense_backward {problem}")
    assert "\n" not in dense.details


def test_a_dense_layer_is_asked_about_images(tmp_path):
    change = "dx.reshape(x.shape)", "dx"
    (dense,) = (one for one in judged(tmp_path, "dense", change) if one.name == "dense")
    assert dense.state == "right in 1 of 2 settings"
    assert dense.details.startswith("with arguments NxHxW, DxK, K:\ndense_backward returns a dx of")


def test_what_is_graded_besides_is_named(tmp_path):
    (dense, *_) = judged(
        tmp_path, "dense", ("x.reshape(x.shape[0], w.shape[0])", "x.reshape(len(x), -1)")
    )
    assert dense.state == "right but for empty batch"
    (relu,) = judged(
        tmp_path, "relu", ("positive, dz, ", "positive, jax.vjp(lambda d: d, dz)[1](dz)[0], ")
    )
    assert relu.state == "right, but uses autodiff"


def test_a_rule_that_is_not_wired_or_cannot_be_called_is_one_row(tmp_path):
    (relu,) = judged(tmp_path, "relu", ("relu.defvjp(relu_forward, relu_backward)\n", ""))
    assert relu.state == "not wired" and "relu.defvjp(relu_forward, relu_backward)" in relu.details
    (relu,) = judged(
        tmp_path, "relu", ("defvjp(relu_forward, relu_b", "defvjp(relu_backward, relu_b")
    )
    assert relu.state == "wrong" and relu.details
