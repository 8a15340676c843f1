"""Where each seed is trained: on one device, or spread over several that share its batches.

A place is a sharding of jax's own: one device, or a mesh of devices, each of which holds the whole
state and takes an equal shard of every batch. The compiler adds what the devices tell each other:
sums over a batch, as in gradients and batch statistics, are of the whole batch. Indices, masks and
augmentations are drawn for the whole batch, so they are the same on any number of devices.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import (
    AxisType,
    Mesh,
    NamedSharding,
    PartitionSpec,
    Sharding,
    SingleDeviceSharding,
)

_BATCH, _SEED = "batch", "seed"


def places(devices: Sequence[Any], seeds: int, in_one_program: bool = False) -> list[Sharding]:
    """A place for each seed: seeds are spread first, then each gets equally many devices.

    One program for all seeds has one place: the most devices that get equally many seeds.
    """
    if in_one_program:
        count = max(n for n in range(1, len(devices) + 1) if seeds % n == 0)
        return [_place(devices[:count], _SEED)] * seeds
    share = devices_per_seed(len(devices), seeds)
    groups = [devices[first : first + share] for first in range(0, len(devices), share)]
    whole = [_place(group, _BATCH) for group in groups if len(group) == share]
    return [whole[seed % len(whole)] for seed in range(seeds)]


def devices_per_seed(devices: int, seeds: int) -> int:
    """The number of devices that share the batches of one seed."""
    return max(devices // seeds, 1)


def by_seed(place: Sharding) -> Sharding:
    """How arrays with a leading seed axis lie in the place of one program for all seeds."""
    is_one = not isinstance(place, NamedSharding)
    return place if is_one else NamedSharding(place.mesh, PartitionSpec(_SEED))


def by_image(place: Sharding, axis: int = 0) -> Sharding:
    """How the arrays of a batch lie, with the images along this axis."""
    mesh = _mesh_of(place)
    return place if mesh is None else NamedSharding(mesh, PartitionSpec(*[None] * axis, _BATCH))


def mesh_for(place: Sharding | None, size: int) -> Mesh | None:
    """The mesh whose devices share a batch of this size; None if the shards would not be equal."""
    mesh = _mesh_of(place)
    return None if mesh is None or size % mesh.size else mesh


def cut_into_shards(place: Sharding | None, batch: Any) -> Any:
    """The same batch inside a compiled program, a shard of it on each device."""
    leaves = jax.tree.leaves(batch)
    if place is None or not leaves or mesh_for(place, leaves[0].shape[0]) is None:
        return batch
    return jax.lax.with_sharding_constraint(batch, by_image(place))


def drawn_alike(place: Sharding | None, indices: Any) -> Any:
    """The same indices inside a compiled program, drawn by each device: they need not be sent."""
    if _mesh_of(place) is None:
        return indices
    return jax.lax.with_sharding_constraint(indices, place)


def _mesh_of(place: Sharding | None) -> Mesh | None:
    """The mesh whose devices share batches."""
    shared = isinstance(place, NamedSharding) and _BATCH in place.mesh.axis_names
    return place.mesh if shared else None  # type: ignore[union-attr,return-value]


def _place(devices: Sequence[Any], axis: str) -> Sharding:
    if len(devices) == 1:
        return SingleDeviceSharding(devices[0])
    mesh = jax.make_mesh((len(devices),), (axis,), axis_types=(AxisType.Auto,), devices=devices)
    return NamedSharding(mesh, PartitionSpec())


def replicated(tree: Any, place: Sharding) -> Any:
    """These arrays whole on every device of a place, those of other processes among them."""
    if place.is_fully_addressable:
        return jax.device_put(tree, place)

    def put(leaf: Any) -> jax.Array:
        if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            data, kind = jax.random.key_data(leaf), jax.random.key_impl(leaf)
            return jax.random.wrap_key_data(put(data), impl=kind)
        array = np.asarray(leaf)
        return jax.make_array_from_process_local_data(place, array, array.shape)

    return jax.tree.map(put, tree)
