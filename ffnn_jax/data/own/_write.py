"""Writes the images of a source into an entry of the cache, and keeps account of them."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ffnn_jax.config import UserError
from ffnn_jax.data._entries import ImagesFile
from ffnn_jax.data.own._pictures import Size, picture_blocks

_BLOCK = 1000


class Written:
    """The images of an entry, and what became of those asked for.

    Attributes:
        kept: which of those asked for are written, in order.
        contents: a digest of each image.
        damaged: a line for each picture that cannot be read.
        sizes: how many pictures have each (width, height).
        digest: SHA-256 of the pixels.
    """

    def __init__(self, folder: Path) -> None:
        """Begins without an image, so that their shape is still open."""
        self.kept: list[int] = []
        self.contents: list[bytes] = []
        self.damaged: list[str] = []
        self.sizes: Counter[Size] = Counter()
        self.digest = hashlib.sha256()
        self._folder, self._file = folder, None

    def add(self, images: np.ndarray, rows: Sequence[int]) -> None:
        """Writes images uint8 (n, H, W, C), the given ones of those asked for."""
        self._file = self._file or ImagesFile(self._folder, images.shape[1:])
        self._file.write(images)
        self.digest.update(images.data)
        self.contents += [hashlib.blake2b(image, digest_size=16).digest() for image in images]
        self.kept += rows

    def close(self) -> None:
        """Ends the file of the images."""
        if self._file is not None:
            self._file.close()


class _ColouredError(Exception):
    """A picture in colour, among pictures so far in grey."""


def write_images(
    folder: Path, items: np.ndarray, size: int | None, tell: Callable[[int], object]
) -> Written:
    """Writes pixels (N, H, W, C), or pictures by path (N,): in grey if all of them are in grey.

    Raises:
        UserError: pictures differ in size and none is given, or one is given for pixels.
    """
    if items.dtype == object:
        try:
            return _pictures(folder, items.tolist(), size, None, tell)
        except _ColouredError:
            return _pictures(folder, items.tolist(), size, 3, tell)
    if size is not None and items.shape[1:3] != (size, size):
        raise UserError(f"size is for picture files; these arrays are images {items.shape[1:]}")
    written = Written(folder)
    for start in range(0, len(items), _BLOCK):
        block = np.ascontiguousarray(items[start : start + _BLOCK])
        written.add(block, range(start, start + len(block)))
        tell(start + len(block))
    written.close()
    return written


def _pictures(
    folder: Path, files: Sequence[str], size: int | None, channels: int | None,
    tell: Callable[[int], object],
) -> Written:  # fmt: skip
    written, row = Written(folder), 0
    try:
        for block in picture_blocks(files, size, tell):
            read = [(row + n, one) for n, one in enumerate(block) if one.pixels is not None]
            row += len(block)
            written.damaged += [one.problem for one in block if one.pixels is None]
            written.sizes.update(one.size for _, one in read)
            images = [one.pixels for _, one in read if one.pixels is not None]
            if images:
                channels = wanted = channels or max(image.shape[2] for image in images)
                pixels = np.stack([_in(wanted, image) for image in images])
                written.add(pixels, [at for at, _ in read])
    finally:
        written.close()
    return written


def _in(channels: int, pixels: np.ndarray) -> np.ndarray:
    """The pixels with that many channels; grey is the same in all three."""
    if channels < pixels.shape[2]:
        raise _ColouredError
    return np.repeat(pixels, channels, axis=2) if pixels.shape[2] < channels else pixels
