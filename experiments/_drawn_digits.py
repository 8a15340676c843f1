"""Digits drawn with Pillow: glyphs of fonts and jittered pen strokes, by several pens, on papers.

Pens and papers come in two halves: preparation is developed on one and reported on the other.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Colour = tuple[int, int, int]
Stroke = list[tuple[float, float]]
_FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@dataclasses.dataclass(frozen=True)
class Pen:
    """What draws a digit: a font, or strokes of a width given as a share of the digit's size."""

    ink: Colour
    width: float = 0.06
    font: str = ""


@dataclasses.dataclass(frozen=True)
class Paper:
    """A sheet: its size in pixels, colour, faint print, the digit's share of it, and the lens."""

    size: tuple[int, int]
    colour: Colour
    share: float
    print: str = ""
    grain: float = 0.0
    blur: float = 0.0


PENS: dict[str, list[Pen]] = {
    "development": [
        Pen((25, 25, 30), 0.03),
        Pen((20, 30, 110), 0.05),
        Pen((90, 90, 95), 0.025),
        Pen((0, 0, 0), 0.10),
        Pen((150, 30, 40), 0.07),
        Pen((15, 15, 15), font="DejaVuSans.ttf"),
        Pen((40, 40, 40), font="DejaVuSerif.ttf"),
        Pen((20, 20, 120), font="STIXGeneral.ttf"),
    ],
    "held out": [
        Pen((35, 35, 45), 0.04),
        Pen((30, 60, 160), 0.03),
        Pen((110, 105, 100), 0.035),
        Pen((10, 10, 10), 0.13),
        Pen((20, 100, 60), 0.06),
        Pen((0, 0, 0), font="DejaVuSansMono-Bold.ttf"),
        Pen((50, 30, 30), font="DejaVuSans-Oblique.ttf"),
        Pen((20, 20, 20), font="cmr10.ttf"),
    ],
}
PAPERS: dict[str, list[Paper]] = {
    "development": [
        Paper((640, 480), (245, 243, 238), 0.6, grain=2, blur=1.0),
        Paper((300, 300), (255, 255, 255), 0.7),
        Paper((480, 640), (205, 200, 190), 0.4, "ruled", 3, 1.5),
        Paper((200, 240), (235, 235, 225), 0.5, grain=1),
        Paper((1000, 750), (190, 195, 200), 0.35, "squared", 4, 2.0),
    ],
    "held out": [
        Paper((720, 540), (230, 225, 215), 0.5, grain=3, blur=1.2),
        Paper((256, 256), (250, 250, 245), 0.65),
        Paper((600, 800), (215, 215, 215), 0.45, "squared", 3, 1.5),
        Paper((320, 240), (255, 250, 230), 0.6, grain=2),
        Paper((900, 900), (180, 178, 170), 0.3, "ruled", 4, 2.0),
    ],
}


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A drawn digit, the square that it fills, and what drew it on what."""

    digit: int
    image: Image.Image
    box: tuple[int, int, int, int]
    pen: Pen
    paper: Paper


def drawn_digits(half: str, rounds: int) -> Iterator[Drawn]:
    """Every digit by every pen of a half, each round on the next paper, at a place of its own."""
    generator = np.random.default_rng([len(half), rounds])
    for turn in range(rounds):
        for number, pen in enumerate(PENS[half]):
            paper = PAPERS[half][(number + turn) % len(PAPERS[half])]
            for digit in range(10):
                yield draw(digit, pen, paper, generator)


def draw(digit: int, pen: Pen, paper: Paper, generator: np.random.Generator) -> Drawn:
    """One digit on a fresh sheet."""
    width, height = paper.size
    side = round(paper.share * min(width, height))
    left, top = (round((whole - side) * generator.uniform(0.3, 0.7)) for whole in (width, height))
    box = (left, top, left + side, top + side)
    image = sheet(paper, generator)
    put_digit(image, digit, pen, box, generator)
    return Drawn(digit, image, box, pen, paper)


def photographed(image: Image.Image, paper: Paper, generator: np.random.Generator) -> Image.Image:
    """The picture as taken: blurred, with the grain of its paper and sensor."""
    blurred = image.filter(ImageFilter.GaussianBlur(paper.blur)) if paper.blur else image
    noise = generator.normal(0, paper.grain, blurred.size[::-1])[..., None]
    return Image.fromarray(np.clip(np.asarray(blurred) + noise, 0, 255).astype(np.uint8))


def sheet(paper: Paper, generator: np.random.Generator) -> Image.Image:
    """An empty sheet, with its print."""
    image = Image.new("RGB", paper.size, paper.colour)
    pen, (width, height) = ImageDraw.Draw(image), paper.size
    faint = (*(int(0.88 * c) for c in paper.colour[:2]), paper.colour[2])
    step, first = min(width, height) // 9, int(generator.integers(5, 40))
    if paper.print:
        for y in range(first, height, step):
            pen.line([(0, y), (width, y)], fill=faint, width=max(1, width // 300))
    if paper.print == "squared":
        for x in range(first, width, step):
            pen.line([(x, 0), (x, height)], fill=faint, width=max(1, width // 300))
    return image


def put_digit(
    image: Image.Image, digit: int, pen: Pen, box: tuple[int, int, int, int],
    generator: np.random.Generator,
) -> None:  # fmt: skip
    """Draws a digit into a square of the picture."""
    left, top, right, bottom = box
    draw, side = ImageDraw.Draw(image), right - left
    if pen.font:
        font = ImageFont.truetype(str(_FONTS / pen.font), round(1.3 * side))
        middle = ((left + right) / 2, (top + bottom) / 2)
        x0, y0, x1, y1 = draw.textbbox(middle, str(digit), font, anchor="mm")
        middle = (2 * middle[0] - (x0 + x1) / 2, 2 * middle[1] - (y0 + y1) / 2)
        draw.text(middle, str(digit), pen.ink, font, anchor="mm")
        return
    radius = max(pen.width * side / 2, 0.8)
    for points in strokes(digit, generator):
        line = [(left + side * x, top + side * y) for x, y in points]
        for (ax, ay), (bx, by) in itertools.pairwise(line):
            steps = max(2, math.ceil(math.hypot(bx - ax, by - ay) / max(radius / 2, 0.5)))
            for t in np.linspace(0, 1, steps):
                x, y = ax + t * (bx - ax), ay + t * (by - ay)
                draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=pen.ink)


def strokes(digit: int, generator: np.random.Generator) -> list[Stroke]:
    """A digit's strokes in a square of side 1, y down: slanted, squeezed and shaken by hand."""
    forms = _FORMS[digit]
    lines = forms[int(generator.integers(len(forms)))]
    slant, squeeze = generator.uniform(-0.12, 0.3), generator.uniform(0.75, 1.0)
    shaken = []
    for line in lines:
        points = np.array(line)
        points = points + generator.normal(0, 0.012, points.shape)
        x = 0.5 + squeeze * (points[:, 0] - 0.5) - slant * (points[:, 1] - 0.5)
        shaken.append(list(zip(x.tolist(), points[:, 1].tolist(), strict=True)))
    return shaken


def _arc(x: float, y: float, rx: float, ry: float, begin: float, end: float) -> Stroke:
    angles = np.radians(np.linspace(begin, end, 17))
    return [(x + rx * math.cos(angle), y + ry * math.sin(angle)) for angle in angles]


_FORMS: list[list[list[Stroke]]] = [
    [[_arc(0.5, 0.5, 0.3, 0.45, -80, 285)], [_arc(0.5, 0.5, 0.36, 0.44, -70, 270)]],
    [[[(0.5, 0.05), (0.5, 0.95)]], [[(0.35, 0.25), (0.55, 0.05), (0.53, 0.95)]]],
    [[[*_arc(0.48, 0.3, 0.28, 0.25, 190, 390), (0.22, 0.93), (0.8, 0.93)]],
     [[*_arc(0.48, 0.3, 0.27, 0.25, 200, 400), *_arc(0.33, 0.85, 0.1, 0.08, 0, -270),
       (0.55, 0.9), (0.82, 0.92)]]],
    [[[*_arc(0.45, 0.28, 0.28, 0.23, 200, 445), *_arc(0.45, 0.73, 0.3, 0.23, 275, 510)]],
     [[(0.2, 0.06), (0.75, 0.06), (0.45, 0.42), *_arc(0.45, 0.69, 0.29, 0.26, 280, 500)]]],
    [[[(0.62, 0.95), (0.62, 0.05), (0.15, 0.65), (0.88, 0.65)]],
     [[(0.3, 0.06), (0.18, 0.55), (0.85, 0.52)], [(0.66, 0.1), (0.62, 0.95)]]],
    [[[(0.78, 0.06), (0.3, 0.06), (0.27, 0.45), *_arc(0.47, 0.68, 0.28, 0.26, 240, 500)]],
     [[(0.3, 0.1), (0.27, 0.45), *_arc(0.47, 0.68, 0.28, 0.26, 235, 500)],
      [(0.34, 0.07), (0.8, 0.05)]]],
    [[[(0.65, 0.05), (0.36, 0.35), *_arc(0.48, 0.7, 0.26, 0.25, 190, 550)]],
     [[(0.55, 0.05), (0.3, 0.45), *_arc(0.5, 0.73, 0.24, 0.21, 170, 520)]]],
    [[[(0.18, 0.08), (0.8, 0.08), (0.42, 0.95)]],
     [[(0.18, 0.1), (0.8, 0.06), (0.45, 0.95)], [(0.38, 0.5), (0.75, 0.48)]]],
    [[[*_arc(0.5, 0.27, 0.22, 0.21, 80, 440), *_arc(0.5, 0.72, 0.27, 0.24, 275, 630)]],
     [[*_arc(0.5, 0.28, 0.2, 0.22, -40, -270), *_arc(0.5, 0.72, 0.24, 0.23, -90, 180),
       (0.65, 0.12)]]],
    [[[*_arc(0.5, 0.3, 0.26, 0.25, 0, 360), (0.74, 0.5), (0.68, 0.95)]],
     [[*_arc(0.48, 0.3, 0.25, 0.24, -20, 340), (0.72, 0.3), (0.72, 0.95)]]],
]  # fmt: skip
