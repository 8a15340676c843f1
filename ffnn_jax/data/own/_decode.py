"""Decodes one picture after another."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ffnn_jax._picture_files import cropped_and_scaled, pixels_of, read_picture
from ffnn_jax.config import UserError

Size = tuple[int, int]


class Picture(NamedTuple):
    """A file's pixels, uint8 (H, W, 1 or 3), and its own (width, height); or why it has none."""

    pixels: np.ndarray | None
    size: Size = (0, 0)
    problem: str = ""


def decode_chunk(files: Sequence[str], size: int | None) -> list[Picture]:
    """The pictures; with a size, each cropped to its middle square and scaled to it."""
    return [_decoded(file, size) for file in files]


def _decoded(file: str, size: int | None) -> Picture:
    try:
        image, _ = read_picture(Path(file))
    except UserError as error:
        return Picture(None, problem=str(error))
    own = image.size
    if size is not None:
        image, _ = cropped_and_scaled(image, size, size)
    return Picture(pixels_of(image, (image.height, image.width, len(image.getbands()))), own)
