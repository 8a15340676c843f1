"""A batch in shards, one a device, and how it is cut into blocks within each of them.

A block has images of every shard, so that no image moves from one device to another. Without
shards, blocks are consecutive images.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from jaxtyping import Array

batch_mesh = jax.make_user_context(None)
"""The mesh whose devices share a batch, as in ``with batch_mesh(mesh): ...``, or None."""


def shards() -> int:
    """The number of devices that share a batch."""
    return 1 if batch_mesh.value is None else batch_mesh.value.size


def cut(images: Array, block: int) -> Array:
    """Blocks one after another, each of this many images of every shard."""
    parts = images.reshape(shards(), -1, block, *images.shape[1:])
    return jnp.swapaxes(parts, 0, 1).reshape(-1, shards() * block, *images.shape[1:])


def joined(blocks: Array) -> Array:
    """The images of all blocks in the order that they had before ``cut``."""
    parts = blocks.reshape(len(blocks), shards(), -1, *blocks.shape[2:])
    return jnp.swapaxes(parts, 0, 1).reshape(-1, *blocks.shape[2:])


def on_each_shard(function: Callable[..., Any], *batches: Any) -> Any:
    """What a function gives for each shard, along a new first axis; its loops exchange nothing."""

    def on_one(*shard: Any) -> Any:
        with batch_mesh(None):
            return jax.tree.map(lambda array: array[None], function(*shard))

    mesh = batch_mesh.value
    if mesh is None:
        return on_one(*batches)
    spec = PartitionSpec(*mesh.axis_names)
    on_all = jax.shard_map(on_one, mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False)
    return on_all(*batches)
