"""Inputs: uint8 images that live on the device, gathered and normalised where they are used."""

import dataclasses
import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float, Float32, Float64, Int32, Int64, UInt8

from ffnn_jax.config import NORMALISATIONS

_BLOCK_BYTES = 8 << 20  # of more, the system would take the memory back and clear it each time

Sums = Int64[np.ndarray, " C"]


class Images(NamedTuple):
    """Labelled images: pixels uint8 (N, H, W, C), labels int32 (N,)."""

    pixels: UInt8[Any, "N H W C"]
    labels: Int32[Any, " N"]


class Normalisation(NamedTuple):
    """How pixels become inputs, channel by channel: scale * pixels - mean."""

    scale: Float32[Any, " C"]
    mean: Float32[Any, " C"]


class Block(NamedTuple):
    """The batches of the steps from ``first`` on: pixels (S, B, H, W, C), labels (S, B)."""

    first: Int32[Any, ""]
    images: Images


@dataclasses.dataclass(frozen=True)
class ImageParts:
    """Labelled images on the host, in parts whose rows are counted on; files may be mapped.

    Attributes:
        parts: images of one shape.
    """

    parts: tuple[Images, ...]

    def __len__(self) -> int:
        """The number of images."""
        return sum(len(part.labels) for part in self.parts)

    @property
    def image_bytes(self) -> int:
        """Bytes an image."""
        return math.prod(self.parts[0].pixels.shape[1:])

    def rows(self, rows: Int32[np.ndarray, " B"]) -> Images:
        """The images at these rows, copied."""
        pixels = np.empty((len(rows), *self.parts[0].pixels.shape[1:]), np.uint8)
        labels = np.empty(len(rows), np.int32)
        first = 0
        for part in self.parts:
            here = (rows >= first) & (rows < first + len(part.labels))
            pixels[here] = part.pixels[rows[here] - first]
            labels[here] = part.labels[rows[here] - first]
            first += len(part.labels)
        return Images(pixels, labels)

    def blocks(self, rows: Int32[np.ndarray, " B"]) -> Iterator[Images]:
        """The images at these rows, about 8 MiB at a time."""
        count = max(_BLOCK_BYTES // self.image_bytes, 1)
        for start in range(0, len(rows), count):
            yield self.rows(rows[start : start + count])

    def together(self) -> Images:
        """All images in one."""
        if len(self.parts) == 1:
            return self.parts[0]
        return Images(*(np.concatenate(arrays) for arrays in zip(*self.parts, strict=True)))


def normalisation_of(
    blocks: Iterable[UInt8[np.ndarray, "n H W C"]], scale: float, kind: str = "channel-mean"
) -> Normalisation:
    """The normalisation that gives these (training) images mean 0, and deviation 1 if asked.

    Sums are of whole numbers, so they are exact and the blocks decide nothing. A channel whose
    pixels are all alike has no deviation, and is not divided.

    Args:
        blocks: the images, as many at a time as are wanted in memory.
        scale: what pixels 0..255 are multiplied by first.
        kind: "mean", "channel-mean" or "channel-mean-sd", as in ``Settings``.

    Raises:
        ValueError: the kind is none of these, there are no images, or they are no images.
    """
    if kind not in NORMALISATIONS:
        allowed = ", ".join(NORMALISATIONS)
        raise ValueError(f"normalisation_of: kind must be one of {allowed}, got {kind!r}")
    count, sums, squares = _totals(blocks)
    mean, scales = scale * sums / count, np.full(len(sums), scale)
    if kind == "mean":
        mean = np.full(len(sums), scale * sums.sum() / (count * len(sums)))
    if kind == "channel-mean-sd":
        deviation = scale * _deviation(count, sums, squares)
        deviation[deviation == 0] = 1
        mean, scales = mean / deviation, scales / deviation
    return Normalisation(scales.astype(np.float32), mean.astype(np.float32))


def normalise(
    pixels: UInt8[Any, "N H W C"], normalisation: Normalisation
) -> Float[Array, "N H W C"]:
    """Returns pixels as float32 inputs: scale * pixels - mean."""
    scale, mean = (values[None, None, None, :] for values in normalisation)
    return scale * pixels.astype(scale.dtype) - mean


def rows_of(images: Images, rows: Int32[Any, " B"]) -> Images:
    """Returns the images at these rows."""
    return Images(images.pixels[rows], images.labels[rows])


def _totals(blocks: Iterable[UInt8[np.ndarray, "n H W C"]]) -> tuple[int, Sums, Sums]:
    """How many pixels a channel has, and the sums of their values and of their squares."""
    count, sums, squares = 0, np.zeros(1, np.int64), np.zeros(1, np.int64)
    for block in blocks:
        if block.dtype != np.uint8 or block.ndim != 4:
            found = f"{block.dtype} {block.shape}"
            raise ValueError(f"normalisation_of: blocks must be uint8 (n, H, W, C), got {found}")
        count += block.size // block.shape[3]
        sums = sums + _channel_sums(block)
        squares = squares + _channel_sums(np.square(block, dtype=np.uint16))
    if not count:
        raise ValueError("normalisation_of: blocks must hold at least one image, got none")
    return count, sums, squares


def _channel_sums(values: np.ndarray) -> Sums:
    return values.sum(axis=0, dtype=np.int64).sum(axis=(0, 1))


def _deviation(count: int, sums: Sums, squares: Sums) -> Float64[np.ndarray, " C"]:
    """The standard deviation of pixels, rounded once: its square's numerator is exact."""
    pairs = zip(sums.tolist(), squares.tolist(), strict=True)
    return np.array([math.sqrt(count * square - total**2) / count for total, square in pairs])
