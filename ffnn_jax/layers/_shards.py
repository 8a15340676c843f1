"""A batch in shards, one a device, and how it is cut into blocks within each of them.

A block has images of every shard, so that no image moves from one device to another. Without
shards, or with one, blocks are consecutive images.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array

shards = jax.make_user_context(1)
"""The number of devices that share a batch, as in ``with shards(4): ...``."""


def cut(images: Array, block: int) -> Array:
    """Blocks one after another, each of this many images of every shard."""
    parts = images.reshape(shards.value, -1, block, *images.shape[1:])
    return jnp.swapaxes(parts, 0, 1).reshape(-1, shards.value * block, *images.shape[1:])


def joined(blocks: Array) -> Array:
    """The images of all blocks in the order that they had before ``cut``."""
    parts = blocks.reshape(len(blocks), shards.value, -1, *blocks.shape[2:])
    return jnp.swapaxes(parts, 0, 1).reshape(-1, *blocks.shape[2:])
