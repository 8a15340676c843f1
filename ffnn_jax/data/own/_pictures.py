"""Decodes pictures on all cores, block by block, into images of one size."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, repeat
from typing import NamedTuple

import numpy as np

from ffnn_jax._picture_files import cropped_and_scaled, pixels_of, read_picture
from ffnn_jax._processor import usable_cores
from ffnn_jax.config import UserError
from ffnn_jax.data.own._source import SizesDifferError

_CHUNK = 32  # pictures a task: enough that its overhead does not show
_CHUNKS_PER_BLOCK = 16
_BLOCK_BYTES = 64 << 20


Size = tuple[int, int]


class Picture(NamedTuple):
    """A file's pixels, uint8 (H, W, 1 or 3), and its own (width, height); or why it has none."""

    pixels: np.ndarray | None
    size: Size = (0, 0)
    problem: str = ""


def picture_blocks(
    files: Sequence[str], size: int | None, tell: Callable[[int], object]
) -> Iterator[list[Picture]]:
    """The pictures in order, decoded on all cores; Pillow decodes outside of Python's lock.

    Of tiny pictures most of the work is Python's own, which threads cannot share.

    Raises:
        SizesDifferError: no size is given, and the pictures are not of one size.
    """
    first, start, cores = None, 0, usable_cores()
    with warnings.catch_warnings(action="ignore"), ThreadPoolExecutor(cores) as pool:
        while start < len(files):
            block = files[start : start + _block_length(size, first and first[1], cores)]
            step = min(-(-len(block) // cores), _CHUNK)
            chunks = [block[i : i + step] for i in range(0, len(block), step)]
            decoded = list(chain.from_iterable(pool.map(_decode_chunk, chunks, repeat(size))))
            if size is None:
                first = _require_one_size(block, decoded, first)
            start += len(block)
            tell(start)
            yield decoded


def _block_length(size: int | None, first: Size | None, cores: int) -> int:
    """As many pictures as fit into 64 MB, but one for each core and at most 512."""
    width, height = (size, size) if size is not None else first or (_BLOCK_BYTES, 1)
    return min(max(_BLOCK_BYTES // (3 * width * height), cores), _CHUNK * _CHUNKS_PER_BLOCK)


def _decode_chunk(files: Sequence[str], size: int | None) -> list[Picture]:
    return [_decoded(file, size) for file in files]


def _decoded(file: str, size: int | None) -> Picture:
    try:
        image, _ = read_picture(file)
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
            raise SizesDifferError(f"pictures differ in size: {', '.join(sizes)}; {hint}")
    return first
