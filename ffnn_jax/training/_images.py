"""Labelled inputs: on the host in parts, on the device all at once or in chunks of batches."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Int32, Num

_CHUNK_BYTES = 8 << 20  # the system would reclaim and clear larger buffers each time


class Images(NamedTuple):
    """Labelled images: pixels uint8 (N, H, W, C), or tokens (N, T); labels int32 (N,)."""

    pixels: Num[Any, "N ..."]
    labels: Int32[Any, " N"]

    def at(self, indices: Int32[Any, " B"]) -> "Images":
        """The images at these indices."""
        return Images(self.pixels[indices], self.labels[indices])


class Chunk(NamedTuple):
    """The batches of S steps starting at ``first``: arrays (S, B, ...), indices (S, B)."""

    first: Int32[Any, ""]
    images: Images
    indices: Int32[Any, "S B"]


Source = Images | Chunk
"""What a step takes its batch from: all images, or the batches of several steps."""


@dataclasses.dataclass(frozen=True)
class HostImages:
    """Images of one shape on the host, in parts indexed consecutively, maybe memory-mapped."""

    parts: tuple[Images, ...]

    def __len__(self) -> int:
        """The number of images."""
        return sum(len(part.labels) for part in self.parts)

    @property
    def image_bytes(self) -> int:
        """Bytes per image."""
        pixels = self.parts[0].pixels
        return math.prod(pixels.shape[1:]) * pixels.dtype.itemsize

    def at(self, indices: Int32[np.ndarray, " B"]) -> Images:
        """The images at these indices, copied."""
        like = self.parts[0].pixels
        pixels = np.empty((len(indices), *like.shape[1:]), like.dtype)
        labels = np.empty(len(indices), np.int32)
        first = 0
        for part in self.parts:
            inside = (indices >= first) & (indices < first + len(part.labels))
            pixels[inside] = part.pixels[indices[inside] - first]
            labels[inside] = part.labels[indices[inside] - first]
            first += len(part.labels)
        return Images(pixels, labels)

    def in_chunks(self, indices: Int32[np.ndarray, " B"]) -> Iterator[Images]:
        """Yields the images at these indices, about 8 MiB at a time."""
        count = max(_CHUNK_BYTES // self.image_bytes, 1)
        for start in range(0, len(indices), count):
            yield self.at(indices[start : start + count])

    def chunk(self, first: int, indices: Int32[np.ndarray, "S B"]) -> Chunk:
        """The images at these indices, in the indices' shape."""
        flat = self.at(indices.reshape(-1))
        images = jax.tree.map(lambda a: a.reshape(*indices.shape, *a.shape[1:]), flat)
        return Chunk(np.int32(first), images, indices)

    def concatenated(self) -> Images:
        """All parts, concatenated."""
        if len(self.parts) == 1:
            return self.parts[0]
        return Images(*(np.concatenate(arrays) for arrays in zip(*self.parts, strict=True)))
