"""Where the steps find their images: all of them on the device, or a stream for each seed."""

import os
from collections.abc import Sequence
from typing import Protocol

import jax
import numpy as np
from jaxtyping import Array, Int32

from ffnn_jax.config import Settings
from ffnn_jax.training._inputs import Block, ImageParts, Images
from ffnn_jax.training._rows import Member, validation_rows
from ffnn_jax.training._step import CHUNK_STEPS
from ffnn_jax.training._stream import Stream, gather

_SHARE = 0.5  # of the device's memory, for the images


class Feed(Protocol):
    """Gives the training chunk and the validation their source of images."""

    chunk_steps: int

    def training(self, index: int, step: int) -> Images | Block:
        """The source of the seed's steps from ``step`` on."""
        ...

    def validation(self, index: int, step: int) -> Images | Block:
        """The source of the seed's look at the validation images at ``step``."""
        ...


class Resident:
    """All images on the device, where each step gathers its own."""

    chunk_steps = CHUNK_STEPS

    def __init__(self, images: ImageParts) -> None:
        """Puts the images on the device."""
        self._images = jax.device_put(images.together())

    def training(self, index: int, step: int) -> Images:
        """All images."""
        return self._images

    def validation(self, index: int, step: int) -> Images:
        """All images."""
        return self._images


class Streaming:
    """Images on the host; blocks of batches are sent to the device ahead of their use."""

    def __init__(self, images: ImageParts, members: Sequence[Member], settings: Settings) -> None:
        """Opens a stream for each seed.

        Raises:
            Refusal: Grain is not installed.
        """
        size = settings.batch_size
        self._streams = [
            Stream(images, member, size, settings.steps, len(members)) for member in members
        ]
        self.chunk_steps = self._streams[0].block_steps
        self._images, self._members = images, members
        self._draw = jax.jit(
            lambda member, step: validation_rows(member, step, size, settings.validation_batches)
        )

    def training(self, index: int, step: int) -> Block:
        """The block that holds the step's batch."""
        return self._streams[index].block_at(step)

    def validation(self, index: int, step: int) -> Block:
        """The batches of validation images."""
        at: Int32[Array, ""] = jax.numpy.asarray(step, "int32")
        rows = np.asarray(self._draw(self._members[index], at))
        return jax.device_put(Block(np.int32(step), gather(self._images, rows)))


def fits_on_device(images: ImageParts) -> bool:
    """Whether the images take at most half of the device's memory."""
    stats = jax.local_devices()[0].memory_stats() or {}
    memory = stats.get("bytes_limit") or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return len(images) * images.image_bytes <= _SHARE * memory
