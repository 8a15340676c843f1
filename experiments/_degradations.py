"""One thing added to a picture of a digit: ten ways in which a photograph is not a scan.

Parameters come in two halves, (development, held out), of which each picture draws its own.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from experiments._drawn_digits import Drawn, put_digit, sheet

HALVES = ("development", "held out")
Generator = np.random.Generator
Degradation = Callable[[Drawn, int, Generator], Image.Image]


def dot(drawn: Drawn, half: int, generator: Generator) -> Image.Image:
    """A dot of ink in a corner."""
    image, (width, height) = drawn.image.copy(), drawn.image.size
    radius = generator.choice([(0.012, 0.025), (0.016, 0.032)][half]) * min(width, height)
    x, y = ((size * generator.choice([0.08, 0.93])) for size in (width, height))
    ImageDraw.Draw(image).ellipse([x - radius, y - radius, x + radius, y + radius], drawn.pen.ink)
    return image


def ruled_line(drawn: Drawn, half: int, generator: Generator) -> Image.Image:
    """A line across the page, as dark as the ink, under the digit or through it."""
    image, width = drawn.image.copy(), drawn.image.width
    _, top, _, bottom = drawn.box
    share, tilt = [((1.08, 0.7), 0.01), ((1.15, 0.5), 0.03)][half]
    y = top + generator.choice(share) * (bottom - top)
    ends = [(0, y), (width, y + tilt * width * generator.uniform(-1, 1))]
    thickness = max(1, round([0.006, 0.009][half] * width))
    ImageDraw.Draw(image).line(ends, drawn.pen.ink, thickness)
    return image


def box_around(drawn: Drawn, half: int, generator: Generator) -> Image.Image:
    """A box of ink around the digit."""
    image, (left, top, right, bottom) = drawn.image.copy(), drawn.box
    margin = round(generator.uniform(*[(0.1, 0.2), (0.13, 0.3)][half]) * (right - left))
    width, height = image.size
    corners = (
        max(left - margin, 2), max(top - margin, 2),
        min(right + margin, width - 3), min(bottom + margin, height - 3),
    )  # fmt: skip
    thickness = max(1, round([0.008, 0.012][half] * width))
    ImageDraw.Draw(image).rectangle(corners, outline=drawn.pen.ink, width=thickness)
    return image


def dark_desk(drawn: Drawn, half: int, generator: Generator) -> Image.Image:
    """The sheet, slightly turned, on a dark desk of grained wood."""
    return _on_desk(drawn, [(60, 42, 30), (40, 45, 52)][half], half, generator)


def light_desk(drawn: Drawn, half: int, generator: Generator) -> Image.Image:
    """The sheet, slightly turned, on a light desk."""
    return _on_desk(drawn, [(190, 165, 130), (205, 195, 180)][half], half, generator)


def hard_shadow(drawn: Drawn, half: int, generator: Generator) -> Image.Image:
    """A shadow with a sharp edge over part of the picture."""
    x, y = _coordinates(drawn.image)
    angle, depth = generator.uniform(0, 2 * np.pi), [0.55, 0.45][half]
    distance = (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle)
    edge = generator.uniform(-0.15, 0.15)
    softness = [0.01, 0.02][half]
    light = 1 - (1 - depth) / (1 + np.exp(-np.clip((distance - edge) / softness, -50, 50)))
    return _lit(drawn.image, light)


def vignette(drawn: Drawn, half: int, generator: Generator) -> Image.Image:
    """Corners darker than the middle."""
    x, y = _coordinates(drawn.image)
    radius = np.hypot(x - generator.uniform(0.4, 0.6), y - generator.uniform(0.4, 0.6))
    return _lit(drawn.image, 1 / (1 + [1.6, 2.2][half] * radius**2))


def turned(drawn: Drawn, half: int, generator: Generator) -> Image.Image:
    """The picture turned by 15 degrees; the other half has black corners."""
    fill = [drawn.paper.colour, (0, 0, 0)][half]
    angle = 15 * int(generator.choice([-1, 1]))
    return drawn.image.rotate(angle, Image.Resampling.BICUBIC, fillcolor=fill)


def noise(drawn: Drawn, half: int, generator: Generator) -> Image.Image:
    """Grain of a sensor in the dark."""
    grain = generator.normal(0, [18, 25][half], (*drawn.image.size[::-1], 3))
    return Image.fromarray(np.clip(np.asarray(drawn.image) + grain, 0, 255).astype(np.uint8))


def several(drawn: Drawn, half: int, generator: Generator) -> Image.Image:
    """The digit and its two successors, side by side; the right answer is all three."""
    left, top, right, bottom = drawn.box
    step = round([1.15, 1.3][half] * (right - left))
    size = (drawn.image.width + 2 * step, drawn.image.height)
    image = sheet(dataclasses.replace(drawn.paper, size=size), generator)
    for k in range(3):
        box = (left + k * step, top, right + k * step, bottom)
        put_digit(image, (drawn.digit + k) % 10, drawn.pen, box, generator)
    return image


DEGRADATIONS: dict[str, Degradation] = {
    "dot in a corner": dot, "ruled line": ruled_line, "box": box_around, "dark desk": dark_desk,
    "light desk": light_desk, "hard shadow": hard_shadow, "vignette": vignette,
    "turned 15 degrees": turned, "noise": noise, "several digits": several,
}  # fmt: skip


def _on_desk(
    drawn: Drawn, colour: tuple[int, int, int], half: int, generator: Generator
) -> Image.Image:
    width, height = drawn.image.size
    size = (round(1.5 * width), round(1.5 * height))
    x, y = _coordinates(Image.new("L", size))
    grain = np.sin([40, 25][half] * y + 3 * np.sin(4 * x)) * [0.06, 0.1][half]
    desk = Image.fromarray(
        np.clip(np.array(colour) * (1 + grain)[..., None], 0, 255).astype(np.uint8)
    )
    angle = generator.uniform(-6, 6)
    turned = drawn.image.rotate(angle, Image.Resampling.BICUBIC, expand=True)
    mask = Image.new("L", (width, height), 255).rotate(angle, expand=True)
    place = ((size[0] - turned.width) // 2, (size[1] - turned.height) // 2)
    desk.paste(turned, place, mask)
    return desk


def _coordinates(image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """Across and down, from 0 to 1."""
    width, height = image.size
    return np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))


def _lit(image: Image.Image, light: np.ndarray) -> Image.Image:
    return Image.fromarray((np.asarray(image) * light[..., None]).astype(np.uint8))
