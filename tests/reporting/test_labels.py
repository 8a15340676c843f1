"""Texts in figures are short, literal, and without letters that the font lacks."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ffnn_jax.reporting import (
    draw_confusion,
    draw_contact_sheet,
    draw_misclassified,
    draw_precision_recall,
    draw_predictions,
    save_figure,
)
from ffnn_jax.reporting._labels import class_labels, escape

ODD = ["猫", "a|b", "<b>bold</b>", r"$\frac$", "x" * 300, "two\nlines", "🙂", r"\alpha_{"]


def test_a_name_that_the_font_cannot_draw_becomes_the_class_s_number():
    assert class_labels(["猫", "dog", "a🙂", "Ёж"]) == ["class 0", "dog", "class 2", "Ёж"]


def test_names_are_on_one_line_and_at_most_24_letters_long():
    assert class_labels(["two\n\tlines", "x" * 24, "x" * 25]) == [
        "two lines", "x" * 24, "x" * 23 + "…",
    ]  # fmt: skip
    assert class_labels(["automobiles"], 10) == ["automobil…"]


def test_markup_of_other_languages_is_left_as_it_is():
    assert class_labels(["a|b", "<b>", "[red]"]) == ["a|b", "<b>", "[red]"]


def test_a_dollar_sign_is_escaped():
    assert escape(["$a$", "b"]) == [r"\$a\$", "b"]


def test_a_text_has_at_most_120_letters():
    assert escape(["x" * 120, "x" * 121]) == ["x" * 120, "x" * 119 + "…"]


def test_each_line_of_a_text_is_shortened_and_a_missing_letter_is_a_box():
    assert escape([f"{'x' * 9}\n猫 90%"], 8) == ["xxxxxxx…\n□ 90%"]


def draw(name: str):
    classes = len(ODD)
    confusion = np.arange(classes**2).reshape(classes, classes)
    labels = np.arange(classes)
    images = np.zeros((classes, 4, 4, 1), np.uint8)
    return {
        "confusion": lambda: draw_confusion(confusion, ODD),
        "precision_recall": lambda: draw_precision_recall(confusion, ODD),
        "misclassified": lambda: draw_misclassified(
            images, labels, labels[::-1], ODD, np.full(classes, 0.5)
        ),
        "predictions": lambda: draw_predictions(images, ODD),
        "contact_sheet": lambda: draw_contact_sheet(images, labels, ODD, "title"),
    }[name]()


@pytest.mark.parametrize(
    "name", ["confusion", "precision_recall", "misclassified", "predictions", "contact_sheet"]
)
@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_odd_names_give_no_warning_and_no_huge_figure(tmp_path: Path, name: str, suffix: str):
    """Warnings are errors here."""
    path = tmp_path / f"figure{suffix}"
    save_figure(draw(name), path)
    if suffix == ".png":
        with Image.open(path) as picture:
            assert max(picture.size) < 1500
