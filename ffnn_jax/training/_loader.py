"""Where the steps find their images: all in the device's memory, or streamed ahead of their use.

The indices of a streamed batch are drawn from (seed, step) by the very function that a step in
memory draws them with, so both see the same batches. What is sent at once is a block of them.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int32

from ffnn_jax.config import Settings, require_grain
from ffnn_jax.training._images import Block, ImageParts, Images
from ffnn_jax.training._sampling import Member, Sampling, batch_indices, validation_indices
from ffnn_jax.training._step import CHUNK_STEPS

_SHARE = 0.5  # of the device's memory, for the images
_BLOCK_BYTES = 32 << 20


class Loader(Protocol):
    """Gives the training chunk and the validation their source of images."""

    chunk_steps: int

    def training(self, index: int, step: int) -> Images | Block:
        """The source of the seed's steps from ``step`` on."""
        ...

    def validation(self, index: int, step: int) -> Images | Block:
        """The source of the seed's look at the validation images at ``step``."""
        ...


class InMemoryLoader:
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


class StreamingLoader:
    """Images on the host; blocks of batches are sent to the device ahead of their use."""

    def __init__(self, images: ImageParts, members: Sequence[Member], settings: Settings) -> None:
        """Opens a stream for each seed.

        Raises:
            Refusal: Grain is not installed.
        """
        sampling, steps = Sampling(settings.batch_size, settings.sampling), settings.steps
        self._streams = [
            Stream(images, member, sampling, steps, len(members)) for member in members
        ]
        self.chunk_steps = self._streams[0].block_steps
        self._images, self._members = images, members
        self._draw = jax.jit(
            lambda member, step: validation_indices(
                member, step, settings.batch_size, settings.validation_batches
            )
        )

    def training(self, index: int, step: int) -> Block:
        """The block that holds the step's batch."""
        return self._streams[index].block_at(step)

    def validation(self, index: int, step: int) -> Block:
        """The batches of validation images."""
        indices = np.asarray(self._draw(self._members[index], jnp.asarray(step, "int32")))
        return jax.device_put(self._images.block(step, indices))


class Stream:
    """One seed's batches, block after block, on the device before they are asked for.

    The blocks are made by a Grain iterator: while one is trained on, the next is gathered.

    Args:
        images: training and validation images together.
        member: the seed's key and indices.
        sampling: how batches are taken.
        steps: steps that will be asked for.
        streams: how many share the device: with more of them, blocks are shorter.

    Raises:
        Refusal: Grain is not installed.
    """

    def __init__(
        self, images: ImageParts, member: Member, sampling: Sampling, steps: int, streams: int = 1
    ) -> None:
        """Starts nothing: the first block is made when it is asked for."""
        self.block_steps = steps_in_a_block(streams * images.image_bytes * sampling.size)
        count = -(-steps // self.block_steps)
        draw = _host_draw(member, sampling, self.block_steps)

        def block(index: int) -> Block:
            first = index * self.block_steps
            return images.block(first, draw(np.int32(first)))

        require_grain()
        self._block, self._count = block, count
        self._blocks = self._from(0)
        self._current: Block | None = None
        self._last = -1

    def block_at(self, step: int) -> Block:
        """The block that a step's batch is in; steps are asked for in order, and may be skipped.

        Raises:
            ValueError: the block was given before and is gone.
        """
        index = step // self.block_steps
        if index < self._last:
            raise ValueError(f"block_at: step {step} is behind the stream")
        if index > self._last + 1:
            self._blocks = self._from(index)
        if index > self._last:
            self._current, self._last = next(self._blocks), index
        assert self._current is not None
        return self._current

    def _from(self, first: int) -> Iterator[Block]:
        """The blocks from this one on, each made while the one before it is used."""
        import grain

        ahead = grain.ReadOptions(num_threads=1, prefetch_buffer_size=1)
        numbers = grain.MapDataset.range(first, self._count)
        blocks = numbers.map(self._block).to_iter_dataset(ahead)
        place = jax.devices()[0]
        return iter(
            grain.experimental.device_put(blocks, place, cpu_buffer_size=1, device_buffer_size=1)
        )


def fits_on_device(images: ImageParts) -> bool:
    """Whether the images take at most half of the device's memory."""
    stats = jax.local_devices()[0].memory_stats() or {}
    memory = stats.get("bytes_limit") or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return len(images) * images.image_bytes <= _SHARE * memory


def steps_in_a_block(batch_bytes: int) -> int:
    """As many steps as give about 32 MiB, at least 1 and at most a chunk's."""
    return min(max(_BLOCK_BYTES // batch_bytes, 1), CHUNK_STEPS)


def _host_draw(
    member: Member, sampling: Sampling, steps: int
) -> Callable[[Int32[Any, ""]], Int32[np.ndarray, "S B"]]:
    """Draws the indices of the steps from one on, on the CPU: the device has other work."""
    cpu = jax.local_devices(backend="cpu")[0]
    host_member = jax.device_put(member, cpu)

    @jax.jit
    def draw(first: Int32[Any, ""]) -> Int32[Array, "S B"]:
        return jax.lax.map(
            lambda offset: batch_indices(host_member, first + offset, sampling),
            jnp.arange(steps, dtype="int32"),
        )

    def on_the_host(first: Int32[Any, ""]) -> Int32[np.ndarray, "S B"]:
        return np.asarray(draw(jax.device_put(first, cpu)))

    return on_the_host
