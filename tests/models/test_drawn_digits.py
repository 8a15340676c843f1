"""At least 9 of 10 digits drawn with Pillow, as a user might draw them, are read correctly."""

import dataclasses
import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ffnn_jax.config import preset
from ffnn_jax.models import Model, Prediction, predict_files
from ffnn_jax.runs import compute

Stroke = list[tuple[float, float]]


def arc(x: float, y: float, rx: float, ry: float, begin: float, end: float) -> Stroke:
    """Points of an ellipse about (x, y), from one angle in degrees to another."""
    angles = np.radians(np.linspace(begin, end, 25))
    return [(x + rx * math.cos(angle), y + ry * math.sin(angle)) for angle in angles]


# Strokes in a square of side 1, y pointing down.
DIGITS: dict[str, list[Stroke]] = {
    "0": [arc(0.5, 0.5, 0.3, 0.45, 0, 360)],
    "1": [[(0.35, 0.2), (0.52, 0.05), (0.52, 0.95)]],
    "2": [[*arc(0.5, 0.28, 0.28, 0.23, 180, 380), (0.22, 0.95), (0.8, 0.95)]],
    "3": [arc(0.45, 0.28, 0.28, 0.23, 200, 450), arc(0.45, 0.73, 0.3, 0.23, 270, 510)],
    "4": [[(0.6, 0.95), (0.6, 0.05), (0.15, 0.65), (0.85, 0.65)]],
    "5": [[(0.78, 0.06), (0.3, 0.06), (0.27, 0.45), *arc(0.47, 0.68, 0.28, 0.26, 240, 500)]],
    "6": [[(0.65, 0.05), (0.4, 0.3), *arc(0.48, 0.7, 0.26, 0.25, 200, 560)]],
    "7": [[(0.18, 0.08), (0.8, 0.08), (0.42, 0.95)]],
    "8": [arc(0.5, 0.27, 0.22, 0.21, 90, 450), arc(0.5, 0.72, 0.27, 0.24, 270, 630)],
    "9": [arc(0.5, 0.3, 0.26, 0.25, 0, 360), [(0.76, 0.3), (0.7, 0.95)]],
}
# (width, height), stroke, ink, paper, digit's position (across, down) and share of the sheet.
SHEETS: list[tuple[Any, ...]] = [
    ((28, 28), 2, "white", "black", (0.5, 0.5), 0.75),
    ((200, 200), 14, "black", "white", (0.5, 0.5), 0.8),
    ((400, 300), 24, "navy", "ivory", (0.1, 0.2), 0.7),
    ((640, 480), 8, (20, 20, 20), (230, 225, 210), (0.8, 0.9), 0.4),
    ((120, 160), 16, "yellow", "darkblue", (0.3, 0.1), 0.85),
    ((1000, 1000), 90, "red", "white", (0.9, 0.9), 0.5),
    ((64, 64), 5, "black", "lightgrey", (0.5, 0.1), 0.9),
]


def drawn(digit: str, sheet: tuple[Any, ...]) -> Image.Image:
    (width, height), stroke, ink, paper, (across, down), share = sheet
    image = Image.new("RGB", (width, height), paper)
    pen, side = ImageDraw.Draw(image), share * min(width, height)
    left, top, r = across * (width - side), down * (height - side), stroke / 2
    for line in DIGITS[digit]:
        points = [(left + side * x, top + side * y) for x, y in line]
        pen.line(points, fill=ink, width=stroke, joint="curve")
        for x, y in (points[0], points[-1]):
            pen.ellipse([x - r, y - r, x + r, y + r], fill=ink)
    return image


@pytest.fixture(scope="module")
def model() -> Model:
    return compute(dataclasses.replace(preset("quickstart"), steps=1000)).models[0]


@pytest.fixture(scope="module")
def read(model: Model, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Prediction]]:
    folder = tmp_path_factory.mktemp("drawn")

    def saved() -> Iterator[tuple[str, Path]]:
        for (number, sheet), digit in itertools.product(enumerate(SHEETS), DIGITS):
            path = folder / f"{number}_{digit}.png"
            drawn(digit, sheet).save(path)
            yield digit, path

    digits, files = zip(*saved(), strict=True)
    return list(zip(digits, predict_files(model, files), strict=True))


def test_nine_of_ten_drawn_digits_are_read_correctly(read: list[tuple[str, Prediction]]):
    wrong = [
        (prediction.file.name, prediction.top)
        for digit, prediction in read
        if prediction.label != digit
    ]
    assert len(read) == 70
    assert len(wrong) <= 7, wrong


def test_the_steps_report_which_digits_were_inverted(read: list[tuple[str, Prediction]]):
    for sheet, (_, prediction) in zip(np.repeat(np.arange(7), 10), read, strict=True):
        assert prediction.prepared is not None
        dark_on_light = sheet not in (0, 4)
        inverted = any("inverted" in step for step in prediction.prepared.steps)
        assert inverted == dark_on_light
