"""Figures show the numbers they are given."""

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from ffnn_jax.reporting import (
    draw_confusion,
    draw_curves,
    draw_filters,
    draw_misclassified,
    draw_precision_recall,
    draw_predictions,
    draw_tuning,
    save_figure,
)

NAMES = ("cat", "dog", "eel")
CONFUSION = np.array([[50, 1, 2], [3, 60, 40], [5, 0, 70]])
DRAW = np.random.default_rng(0)


def panels_with_images(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.images]


def shown(axes: Axes) -> np.ndarray:
    return np.ma.filled(np.ma.asarray(axes.images[0].get_array(), float), math.nan)


def history(seeds: list[int], steps: list[int]) -> list[dict[str, Any]]:
    return [
        {
            "seed": seed,
            "step": step,
            "loss": 2.0 / step + 0.25 * seed,
            "accuracy": step / 100 + 0.125 * seed,
            "validation_accuracy": step / 200 + 0.125 * seed,
        }
        for step in steps
        for seed in seeds
    ]


def test_the_confusion_figure_has_each_count_at_its_column_and_row():
    axes = draw_confusion(CONFUSION, NAMES).axes[0]
    drawn = {text.get_position(): int(text.get_text()) for text in axes.texts}
    assert {text.get_position() for text in axes.texts if text.get_fontweight() == "bold"} == {
        (k, k) for k in range(3)
    }
    assert drawn == {(p, t): CONFUSION[t, p] for t in range(3) for p in range(3)}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    assert [label.get_text() for label in axes.get_yticklabels()] == list(NAMES)
    assert [label.get_text() for label in axes.get_xticklabels()] == list(NAMES)


@pytest.mark.parametrize(("names", "degrees"), [(("1", "12"), 0), (("1", "123"), 45)])
def test_names_of_at_most_two_letters_are_upright(names: tuple[str, ...], degrees: int):
    axes = draw_confusion(np.eye(2, dtype=int), names).axes[0]
    assert {label.get_rotation() for label in axes.get_xticklabels()} == {degrees}


def test_the_confusion_figure_colours_only_errors():
    coloured = shown(draw_confusion(CONFUSION, NAMES).axes[0])
    errors = CONFUSION.astype(float)
    np.fill_diagonal(errors, math.nan)
    np.testing.assert_array_equal(coloured, errors)


def test_a_confusion_matrix_without_errors_is_drawn():
    axes = draw_confusion(np.diag([4, 5, 6]), NAMES).axes[0]
    assert sorted(text.get_text() for text in axes.texts) == ["0"] * 6 + ["4", "5", "6"]


@pytest.mark.parametrize(
    ("classes", "counts", "names"), [(25, 625, 25), (26, 0, 26), (100, 0, 100)]
)
def test_up_to_25_classes_have_counts_and_up_to_100_have_names(
    classes: int, counts: int, names: int
):
    labels = [f"class {k}" for k in range(classes)]
    axes = draw_confusion(np.ones((classes, classes), int), labels).axes[0]
    assert len(axes.texts) == counts
    assert [label.get_text() for label in axes.get_yticklabels()] == labels
    assert len(axes.get_xticklabels()) == names


def test_the_confusion_figure_of_more_classes_is_an_image_without_names():
    labels = [f"class {k}" for k in range(300)]
    figure = draw_confusion(np.ones((300, 300), int), labels)
    fewer = draw_confusion(np.ones((101, 101), int), labels[:101])
    axes = figure.axes[0]
    assert shown(axes).shape == (300, 300)
    assert len(axes.texts) == 0
    assert not any("class" in label.get_text() for label in axes.get_xticklabels())
    assert figure.get_size_inches().tolist() == fewer.get_size_inches().tolist()


def test_no_error_has_the_colour_of_the_page_and_the_diagonal_is_grey():
    drawn = draw_confusion(CONFUSION, NAMES).axes[0].images[0]
    none, most, right = drawn.to_rgba(np.ma.masked_invalid([0.0, 40.0, math.nan]))
    assert none[3] == 0
    assert most.tolist() == pytest.approx([0xD5 / 255, 0x5E / 255, 0, 1], abs=0.01)
    assert right[0] == right[1] == right[2]


def test_misclassified_images_have_their_true_and_predicted_class():
    images = DRAW.integers(0, 256, (2, 4, 5, 1), dtype=np.uint8)
    figure = draw_misclassified(images, np.array([0, 2]), np.array([1, 0]), NAMES)
    panels = panels_with_images(figure)
    assert [axes.get_title() for axes in panels] == ["cat → dog", "eel → cat"]
    np.testing.assert_array_equal([shown(axes) for axes in panels], images[..., 0])


def test_misclassified_images_have_the_probability_of_the_wrong_answer():
    images = DRAW.integers(0, 256, (2, 4, 5, 1), dtype=np.uint8)
    names, shares = ("cat", "albatross"), np.array([0.987, 0.5])
    figure = draw_misclassified(images, np.array([0, 1]), np.array([1, 0]), names, shares)
    titles = [axes.get_title() for axes in panels_with_images(figure)]
    assert titles == ["cat\n→ albatross, 99%", "albatross\n→ cat, 50%"]


def test_grey_images_are_drawn_with_0_as_black_and_255_as_white():
    images = np.array([[[[100], [120]]]], np.uint8)
    one = np.array([0])
    for figure in (draw_predictions(images, ["a"]), draw_misclassified(images, one, one, NAMES)):
        (axes,) = panels_with_images(figure)
        black, white = axes.images[0].to_rgba(np.array([0, 255]))[:, :3]
        assert (black.tolist(), white.tolist()) == ([0, 0, 0], [1, 1, 1])


def test_misclassified_colour_images_keep_their_colours():
    images = DRAW.integers(0, 256, (1, 4, 5, 3), dtype=np.uint8)
    figure = draw_misclassified(images, np.array([0]), np.array([1]), NAMES)
    np.testing.assert_array_equal(shown(panels_with_images(figure)[0]), images[0])


@pytest.mark.parametrize("channels", [2, 5])
def test_of_images_that_are_no_colours_the_first_channel_is_drawn(channels: int):
    images = DRAW.integers(0, 256, (1, 4, 5, channels), dtype=np.uint8)
    figure = draw_misclassified(images, np.array([0]), np.array([1]), NAMES)
    np.testing.assert_array_equal(shown(panels_with_images(figure)[0]), images[0, ..., 0])


def test_predictions_are_drawn_under_their_captions():
    images = DRAW.integers(0, 256, (3, 4, 5, 1), dtype=np.uint8)
    panels = panels_with_images(draw_predictions(images, ["a", "b\n7 90%", "$c"]))
    assert [axes.get_title() for axes in panels] == ["a", "b\n7 90%", r"\$c"]
    long = panels_with_images(draw_predictions(images[:2], ["x" * 24, "x" * 25]))
    assert [axes.get_title() for axes in long] == ["x" * 24, "x" * 23 + "…"]
    np.testing.assert_array_equal([shown(axes) for axes in panels], images[..., 0])


def test_at_most_16_misclassified_images_are_drawn():
    true = np.zeros(20, int)
    images = np.arange(20, dtype=np.uint8)[:, None, None, None].repeat(4, 1).repeat(4, 2)
    panels = panels_with_images(draw_misclassified(images, true, true + 1, NAMES))
    assert [shown(axes)[0, 0] for axes in panels] == list(range(16))


def test_the_title_reports_no_misclassified_images():
    none = np.zeros(0, int)
    figure = draw_misclassified(np.zeros((0, 4, 4, 1), np.uint8), none, none, NAMES)
    assert figure.get_suptitle() == "No image is misclassified"
    assert panels_with_images(figure) == []


@pytest.mark.parametrize("count", [1, 7, 16])
def test_grey_filters_are_drawn_as_weights_about_zero(count: int):
    kernels = DRAW.normal(size=(5, 5, 1, count))
    panels = panels_with_images(draw_filters(kernels))[:count]
    np.testing.assert_array_equal(
        [shown(axes) for axes in panels], kernels[:, :, 0].T.swapaxes(1, 2)
    )
    largest = np.abs(kernels).max()
    assert {axes.images[0].get_clim() for axes in panels} == {(-largest, largest)}


def test_every_filter_has_one_panel():
    panels = panels_with_images(draw_filters(DRAW.normal(size=(5, 5, 3, 7))))
    assert len(panels) == 7


def test_colour_filters_share_one_scale_with_grey_for_zero():
    kernels = np.zeros((5, 5, 3, 2))
    kernels[1, 2, 0, 1], kernels[3, 4, 2, 0] = -4.0, 2.0
    first, second = (shown(axes) for axes in panels_with_images(draw_filters(kernels)))
    assert (first[3, 4].tolist(), second[1, 2].tolist()) == ([0.5, 0.5, 0.75], [0.0, 0.5, 0.5])
    assert (first[0, 0].tolist(), second[0, 0].tolist()) == ([0.5] * 3, [0.5] * 3)


def test_curves_of_one_seed_show_its_history():
    lines = history([3], [10, 20, 30])
    left, right = draw_curves(lines).axes
    (loss,), (accuracy, validation) = left.lines, right.lines
    for line, key in (
        (loss, "loss"), (accuracy, "accuracy"), (validation, "validation_accuracy"),
    ):  # fmt: skip
        np.testing.assert_array_equal(line.get_xdata(), [10, 20, 30])
        np.testing.assert_array_equal(line.get_ydata(), [record[key] for record in lines])
    assert "mean" not in str(loss.get_label())


def test_curves_of_several_seeds_show_each_seed_and_the_mean():
    lines = history([4, 6], [10, 20, 30])
    left, right = draw_curves(lines).axes
    *seeds, mean = left.lines
    by_seed = [[record["loss"] for record in lines if record["seed"] == seed] for seed in (4, 6)]
    np.testing.assert_array_equal([line.get_ydata() for line in seeds], by_seed)
    np.testing.assert_array_equal(mean.get_ydata(), np.mean(by_seed, axis=0))
    assert str(mean.get_label()).endswith("mean of 2")
    assert len(right.lines) == 6


def test_precision_recall_and_f1_are_dots_at_their_values():
    confusion = np.array([[2, 0, 0], [1, 0, 0], [0, 0, 0]])
    axes = draw_precision_recall(confusion, NAMES).axes[0]
    drawn = {str(line.get_label()): np.asarray(line.get_xdata()) for line in axes.lines}
    assert list(drawn) == ["precision", "recall", "F1"]
    np.testing.assert_array_equal(drawn["precision"], [2 / 3, math.nan, math.nan])
    np.testing.assert_array_equal(drawn["recall"], [1, 0, math.nan])
    np.testing.assert_array_equal(drawn["F1"], [4 / 5, 0, math.nan])
    for line in axes.lines:
        np.testing.assert_array_equal(line.get_ydata(), [0, 1, 2])
    assert axes.yaxis.get_inverted()


@pytest.mark.parametrize("classes", [1, 10, 25])
def test_dots_of_more_classes_need_a_taller_figure(classes: int):
    confusion = np.eye(classes, dtype=int)
    figure = draw_precision_recall(confusion, [str(k) for k in range(classes)])
    assert 0.3 * classes < figure.get_figheight() < 2 + 0.5 * classes


def test_each_half_of_the_curves_holds_one_panel(tmp_path: Path):
    """A page cuts them in the middle; the labels of the right axis must not be cut off."""
    figure = draw_curves(history([0], [1, 1000, 2000]))
    save_figure(figure, tmp_path / "curves.svg")
    middle = figure.bbox.width / 2
    left, right = (axes.get_tightbbox() for axes in figure.axes)
    assert left is not None and right is not None
    assert left.x1 < middle < right.x0


def test_of_many_classes_the_25_with_the_lowest_f1_are_drawn():
    confusion = np.diag(np.arange(30) + 1)
    confusion[:, 0] += 5
    names = [f"class {k}" for k in range(30)]
    axes = draw_precision_recall(confusion, names).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["class 0", *(f"class {k}" for k in range(1, 25))]
    assert axes.get_title() == "The 25 classes with the lowest F1"
    recall = next(line for line in axes.lines if line.get_label() == "recall")
    assert np.asarray(recall.get_xdata())[24] == 25 / 30


def test_a_figure_as_svg_has_no_background_no_date_and_its_texts_as_text(tmp_path: Path):
    paths = [tmp_path / name for name in ("once.svg", "twice.svg")]
    for path in paths:
        save_figure(draw_precision_recall(CONFUSION, NAMES), path)
    text = paths[0].read_text(encoding="utf-8")
    assert ">cat</text>" in text
    assert "fill: #ffffff" not in text
    assert "<metadata>" not in text
    assert text == paths[1].read_text(encoding="utf-8")


def test_a_saved_figure_is_the_same_file_each_time(tmp_path: Path):
    paths = [tmp_path / name for name in ("once.png", "twice.png")]
    for path in paths:
        save_figure(draw_confusion(CONFUSION, NAMES), path)
    with Image.open(paths[0]) as image:
        assert image.format == "PNG"
        assert len(np.unique(np.asarray(image.convert("L")))) > 10
        assert image.text == {}  # type: ignore[attr-defined]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_figure_displays_itself_in_a_notebook():
    from IPython.core.formatters import PNGFormatter

    shown = PNGFormatter()(draw_confusion(CONFUSION, NAMES))
    assert isinstance(shown, bytes)
    with Image.open(io.BytesIO(shown)) as image:
        assert image.format == "PNG"


def test_a_dollar_sign_in_a_name_is_drawn_literally(tmp_path):
    names = [r"$\frac$", "b$", "c"]
    confusion = np.array([[3, 1, 0], [0, 2, 0], [1, 0, 4]])
    images, labels = np.zeros((2, 4, 4, 1), np.uint8), np.array([0, 1])
    for figure in (
        draw_confusion(confusion, names),
        draw_precision_recall(confusion, names),
        draw_misclassified(images, labels, labels[::-1], names),
    ):
        save_figure(figure, tmp_path / "figure.png")


def test_the_figure_of_a_tuning_has_the_curve_the_trials_and_the_suggestion():
    trials = [
        {"learning_rate": 0.1, "validation_loss": 0.5},
        {"learning_rate": 9.0, "diverged": "seed 0, step 3"},
        {"learning_rate": 0.05, "validation_loss": 0.7},
    ]
    axes = draw_tuning([(1e-3, 2.5), (1e-2, 1.5)], trials, 0.1).axes[0]
    lines = {line.get_label(): np.array(line.get_xydata()).tolist() for line in axes.lines}
    assert lines["range test"] == [[1e-3, 2.5], [1e-2, 1.5]]
    assert [point for point in lines["after a trial"] if point[1] == point[1]] == [
        [0.1, 0.5], [0.05, 0.7],
    ]  # fmt: skip
    assert [rate for rate, _ in lines["a trial that diverged"]] == [9.0]
    assert [rate for rate, _ in lines["suggestion: 0.1"]] == [0.1, 0.1]
    assert (axes.get_xscale(), axes.get_xlabel()) == ("log", "learning rate")


def test_the_figure_of_a_tuning_that_has_only_begun_is_drawn():
    (axes,) = draw_tuning([], [], None).axes
    assert "suggestion" not in str([line.get_label() for line in axes.lines])
