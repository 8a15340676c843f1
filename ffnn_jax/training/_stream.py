"""Batches of images that do not fit on the device: gathered on the host, sent ahead of their use.

The rows of a batch are drawn from (seed, step) by the very function that the resident step draws
them with, so both see the same batches. What is sent at once is a block of them.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Int32

from ffnn_jax.config import require_grain
from ffnn_jax.training._inputs import Block, ImageParts, Images
from ffnn_jax.training._rows import Member, batch_rows

_BLOCK_BYTES = 32 << 20
_BLOCK_STEPS = 100


class Stream:
    """One seed's batches, block after block, on the device before they are asked for.

    The blocks are made by a Grain iterator: while one is trained on, the next is gathered.

    Args:
        images: training and validation images together.
        member: the seed's key and rows.
        batch_size: images a step.
        steps: steps that will be asked for.
        streams: how many share the device: with more of them, blocks are shorter.

    Raises:
        Refusal: Grain is not installed.
    """

    def __init__(
        self, images: ImageParts, member: Member, batch_size: int, steps: int, streams: int = 1
    ) -> None:
        """Starts nothing: the first block is made when it is asked for."""
        self.block_steps = steps_in_a_block(streams * images.image_bytes * batch_size)
        count = -(-steps // self.block_steps)
        draw = _host_draw(member, batch_size, self.block_steps)

        def block(index: int) -> Block:
            first = np.int32(index * self.block_steps)
            return Block(first, gather(images, draw(first)))

        require_grain()
        import grain

        ahead = grain.ReadOptions(num_threads=1, prefetch_buffer_size=1)
        blocks = grain.MapDataset.range(count).map(block).to_iter_dataset(ahead)
        device = jax.devices()[0]
        self._blocks = iter(
            grain.experimental.device_put(blocks, device, cpu_buffer_size=1, device_buffer_size=1)
        )
        self._current: Block | None = None
        self._last = -1

    def block_at(self, step: int) -> Block:
        """The block that a step's batch is in; steps are asked for in order.

        Raises:
            ValueError: the block was given before and is gone.
        """
        index = step // self.block_steps
        if index < self._last:
            raise ValueError(f"block_at: step {step} is behind the stream")
        while self._last < index:
            self._current = next(self._blocks)
            self._last += 1
        assert self._current is not None
        return self._current

    @property
    def position(self) -> dict[str, Any]:
        """Where the stream is: at the block that was given last, which is given again.

        Setting it on another stream of the same seed goes on from there.
        """
        return {"next_index": max(self._last, 0)}

    @position.setter
    def position(self, position: dict[str, Any]) -> None:
        self._blocks.set_state(position)
        self._last, self._current = position["next_index"] - 1, None


def steps_in_a_block(batch_bytes: int) -> int:
    """As many steps as give about 32 MiB, at least 1 and at most 100."""
    return min(max(_BLOCK_BYTES // batch_bytes, 1), _BLOCK_STEPS)


def gather(images: ImageParts, rows: Int32[np.ndarray, "S B"]) -> Images:
    """The images at these rows, in the rows' shape."""
    flat = images.rows(rows.reshape(-1))
    return jax.tree.map(lambda a: a.reshape(*rows.shape, *a.shape[1:]), flat)


def _host_draw(
    member: Member, batch_size: int, steps: int
) -> Callable[[Int32[Any, ""]], Int32[np.ndarray, "S B"]]:
    """Draws the rows of the steps from one on, on the CPU: the device has other work."""
    cpu = jax.local_devices(backend="cpu")[0]
    host_member = jax.device_put(member, cpu)

    @jax.jit
    def draw(first: Int32[Any, ""]) -> Int32[Array, "S B"]:
        return jax.lax.map(
            lambda offset: batch_rows(host_member, first + offset, batch_size),
            jax.numpy.arange(steps, dtype="int32"),
        )

    def on_the_host(first: Int32[Any, ""]) -> Int32[np.ndarray, "S B"]:
        return np.asarray(draw(jax.device_put(first, cpu)))

    return on_the_host
