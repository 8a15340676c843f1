"""Pictures to read: each holds its own number, so that it is known again wherever it lands."""

from pathlib import Path

import numpy as np
from PIL import Image


def numbered(number: int, height: int = 4, width: int = 5) -> np.ndarray:
    """Pixels (H, W, 3) that only this number has."""
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)


def write_classes(folder: Path, counts: dict[str, int], first: int = 0) -> dict[bytes, str]:
    """Writes that many numbered pictures of each class; returns the class of each by its pixels."""
    classes = {}
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for _ in range(count):
            pixels = numbered(first)
            Image.fromarray(pixels).save(folder / name / f"{first}.png")
            classes[pixels.tobytes()] = name
            first += 1
    return classes
