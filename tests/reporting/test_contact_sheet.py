"""A contact sheet shows the name, image count and first images of every class."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from ffnn_jax.reporting import draw_contact_sheet, save_figure

DRAW = np.random.default_rng(0)


def sheet(labels: np.ndarray, classes: int, channels: int = 1) -> tuple[np.ndarray, Figure]:
    images = DRAW.integers(0, 256, (len(labels), 5, 4, channels), np.uint8)
    names = [f"class {number}" for number in range(classes)]
    return images, draw_contact_sheet(images, labels, names, "toy/train")


def strips(figure: Figure) -> list[Axes]:
    """The panels that show images, in the order of the classes that their text names."""
    drawn = [axes for axes in figure.axes if axes.images]
    return sorted(drawn, key=lambda axes: int(axes.texts[0].get_text().split()[1]))


def shown(axes: Axes) -> np.ndarray:
    return np.asarray(axes.images[0].get_array())


@pytest.mark.parametrize(("classes", "per_class"), [(1, 10), (3, 10), (20, 10), (21, 3), (100, 3)])
def test_every_class_has_its_panel_with_its_name_and_count(classes: int, per_class: int):
    labels = DRAW.integers(0, classes, 12 * classes)
    _, figure = sheet(labels, classes)
    counts = np.bincount(labels, minlength=classes)
    texts = [axes.texts[0].get_text() for axes in strips(figure)]
    assert texts == [f"class {number}\n{count}" for number, count in enumerate(counts)]
    assert {shown(axes).shape for axes in strips(figure)} == {(5, per_class * 5 - 1)}
    assert figure.get_suptitle() == "toy/train"
    columns = len({round(axes.get_position().x0, 3) for axes in strips(figure)})
    assert columns == (1 if per_class == 10 else 4)


def test_a_count_above_a_thousand_has_a_comma():
    _, figure = sheet(np.zeros(1234, int), 1)
    assert strips(figure)[0].texts[0].get_text() == "class 0\n1,234"


@pytest.mark.parametrize(("channels", "white"), [(1, 0), (3, 255)])
def test_a_panel_shows_the_first_images_of_its_class_side_by_side(channels: int, white: int):
    images, figure = sheet(np.arange(36) % 3, 3, channels)
    for number, axes in enumerate(strips(figure)):
        strip = shown(axes).reshape(5, 49, channels)
        for position, image in enumerate(images[number::3][:10]):
            assert np.array_equal(strip[:, 5 * position : 5 * position + 4], image)
        assert np.all(strip[:, 4::5] == white)


@pytest.mark.parametrize(("channels", "white"), [(1, 0), (3, 255)])
def test_a_class_with_few_or_no_images_is_padded_with_white(channels: int, white: int):
    images, figure = sheet(np.array([2, 0, 2]), 3, channels)
    first, second, third = (shown(axes).reshape(5, 49, channels) for axes in strips(figure))
    assert np.array_equal(first[:, :4], images[1])
    assert np.all(first[:, 4:] == white)
    assert np.all(second == white)
    assert np.array_equal(third[:, 5:9], images[2])
    assert strips(figure)[1].texts[0].get_text() == "class 1\n0"


def test_padding_is_white_in_grey_and_in_colour(tmp_path: Path):
    for channels in (1, 3):
        _, figure = sheet(np.zeros(0, int), 2, channels)
        save_figure(figure, tmp_path / "sheet.png")
        with Image.open(tmp_path / "sheet.png") as picture:
            width, height = picture.size
            right = np.asarray(picture.convert("L"))[height // 4 :, width // 2 :]
        assert right.min() == 255


def test_a_sheet_of_100_classes_is_drawn_without_warnings(tmp_path: Path):
    """Warnings are errors here, including those of the layout."""
    _, figure = sheet(np.arange(100), 100, 3)
    save_figure(figure, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 10_000


def test_a_class_name_is_drawn_as_it_is_written():
    images = np.zeros((1, 5, 4, 1), np.uint8)
    figure = draw_contact_sheet(images, np.zeros(1, int), ["a_b {} \\ &"], "title")
    assert texts_of(figure) == ["a_b {} \\ &\n1"]


def texts_of(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]
