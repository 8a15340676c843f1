"""Decodes pictures on all cores, block by block, into images of one size."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ffnn_jax._picture_files import cropped_and_scaled, pixels_of, read_picture
from ffnn_jax._processor import usable_cores
from ffnn_jax.config import UserError

_CHUNK = 32  # pictures a task: enough that its overhead does not show
_CHUNKS_PER_BLOCK = 16

Size = tuple[int, int]


class Picture(NamedTuple):
    """A file's pixels, uint8 (H, W, 1 or 3), and its own (width, height); or why it has none."""

    pixels: np.ndarray | None
    size: Size = (0, 0)
    problem: str = ""


def picture_blocks(
    files: Sequence[str], size: int | None, tell: Callable[[int], object]
) -> Iterator[list[Picture]]:
    """The pictures in order; with a size, each cropped to its middle square and scaled to it.

    Pillow decodes outside of Python's lock, so threads use all cores.

    Raises:
        UserError: no size is given, and the pictures are not of one size.
    """
    first, step = None, _CHUNK * _CHUNKS_PER_BLOCK
    with warnings.catch_warnings(action="ignore"), ThreadPoolExecutor(usable_cores()) as pool:
        for start in range(0, len(files), step):
            block = files[start : start + step]
            chunks = [block[i : i + _CHUNK] for i in range(0, len(block), _CHUNK)]
            decoded = [
                one for chunk in pool.map(lambda c: _chunk(c, size), chunks) for one in chunk
            ]
            if size is None:
                first = _require_one_size(block, decoded, first)
            tell(start + len(block))
            yield decoded


def _chunk(files: Sequence[str], size: int | None) -> list[Picture]:
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


def _require_one_size(
    files: Sequence[str], decoded: Sequence[Picture], first: tuple[str, Size] | None
) -> tuple[str, Size] | None:
    """Rejects a picture of another size than the first, which is returned."""
    for file, picture in zip(files, decoded, strict=True):
        if picture.pixels is None:
            continue
        first = first or (file, picture.size)
        if picture.size != first[1]:
            sizes = [f"{name} is {w} x {h}" for name, (w, h) in (first, (file, picture.size))]
            hint = "--size N (size=N) crops each to its middle square and scales it to N x N"
            raise UserError(f"pictures differ in size: {', '.join(sizes)}; {hint}")
    return first
