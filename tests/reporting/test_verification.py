"""The figure of an error shows the arrays of the first failed checks, and where they differ."""

import ml_dtypes
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ffnn_jax.reporting import draw_verification, save_figure
from ffnn_jax.verify import Check, VerificationResult
from ffnn_jax.verify._result import Part

DRAW = np.random.default_rng(0)


def part(name: str, got: np.ndarray, expected: np.ndarray) -> Part:
    return Part(name, got, expected, np.asarray(got != expected))


def figure_of(*checks: tuple[str, tuple[Part, ...]]) -> Figure:
    rows = tuple(Check(name, False, 1.0, parts=parts) for name, parts in checks)
    return draw_verification(VerificationResult("my $op$ :two:", rows))


def panels(figure: Figure) -> list[tuple[Axes, Axes]]:
    """The scatter and the image of each array."""
    images = [axes for axes in figure.axes if axes.images]
    return list(zip([axes for axes in figure.axes if axes.lines], images, strict=True))


def shown(axes: Axes) -> np.ma.MaskedArray:
    array = axes.images[0].get_array()
    assert array is not None
    return np.ma.asarray(array)


def test_right_and_wrong_entries_have_their_colours_and_the_image_their_errors():
    expected = DRAW.normal(size=(3, 4))
    got = expected.copy()
    got[1, 2] *= -1
    figure = figure_of(("cotangents", (part("dx", got, expected),)))
    ((scatter, image),) = panels(figure)
    right, wrong, diagonal = scatter.lines
    np.testing.assert_array_equal(wrong.get_xydata(), [[expected[1, 2], got[1, 2]]])
    assert len(np.asarray(right.get_xydata())) == 11
    assert len({line.get_color() for line in (right, wrong, diagonal)}) == 3
    legend = scatter.get_legend()
    assert legend is not None
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["right: 11 of 12", "wrong: 1 of 12"]
    np.testing.assert_array_equal(shown(image), np.abs(got - expected))
    assert scatter.get_title() == "cotangents: dx"
    assert image.get_title() == "error of dx, shape (3, 4)"
    assert figure.get_suptitle() == r"my \$op\$ :two:"


def test_an_array_is_drawn_as_in_the_first_check_that_it_fails_and_three_at_most():
    one, two = np.ones(3), np.full(3, 2.0)
    names = ("dx", "dw", "db", "ds")
    parts = tuple(part(name, one, two) for name in names)
    figure = figure_of(("value", parts[:1]), ("cotangents", parts))
    titles = [scatter.get_title() for scatter, _ in panels(figure)]
    assert titles == ["value: dx", "cotangents: dw", "cotangents: db"]


@pytest.mark.parametrize(
    ("shape", "drawn"),
    [((), (1, 1)), ((5,), (1, 5)), ((2, 3), (2, 3)), ((2, 3, 4), (6, 4)), ((2, 1, 3, 4), (6, 4))],
)
def test_any_array_is_drawn_as_a_matrix(shape: tuple[int, ...], drawn: tuple[int, int]):
    got = DRAW.normal(size=shape)
    ((_, image),) = panels(figure_of(("value", (part("z", got, np.zeros(shape)),))))
    np.testing.assert_array_equal(shown(image), np.abs(got).reshape(drawn))


def test_entries_that_are_not_finite_are_grey_and_have_no_point(tmp_path):
    got, expected = np.array([1.0, np.nan, np.inf, 4.0]), np.array([1.0, 2.0, 3.0, 5.0])
    figure = figure_of(("float32", (part("z", got, expected),)))
    ((scatter, image),) = panels(figure)
    assert np.ma.getmaskarray(shown(image)).tolist() == [[False, True, True, False]]
    assert sum(len(np.asarray(line.get_xydata())) for line in scatter.lines[:2]) == 2
    assert image.get_title() == "error of z, shape (4,) (grey: not finite)"
    save_figure(figure, tmp_path / "error.png")


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, np.float16, np.int32, np.complex128, bool])
def test_every_dtype_is_drawn(dtype: type, tmp_path):
    got, expected = np.array([0, 1, 1, 0]).astype(dtype), np.array([0, 1, 0, 0]).astype(dtype)
    figure = figure_of(("value", (part("z", got, expected),)))
    ((_, image),) = panels(figure)
    assert shown(image).tolist() == [[0, 0, 1, 0]]
    save_figure(figure, tmp_path / "error.png")


@pytest.mark.parametrize(
    ("checks", "message"),
    [
        ((Check("value", True),), "nothing failed, so there is no error to draw"),
        ((Check("jit", False),), "no failed check compares arrays, so there is no error to draw"),
    ],
)
def test_without_an_error_nothing_is_drawn(checks: tuple[Check, ...], message: str):
    with pytest.raises(ValueError, match=message):
        draw_verification(VerificationResult("op", checks))
