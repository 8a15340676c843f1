"""Image loaders: all images in each device's memory, or batches streamed ahead of use.

The indices of a streamed batch are drawn from (seed, step) by the same function that a step uses
with images in memory, so both see the same batches. They are sent in chunks of several batches.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Sharding, SingleDeviceSharding
from jaxtyping import Array, Int32

from ffnn_jax._device import device_in_use
from ffnn_jax._memory import usable_memory
from ffnn_jax.config import Settings, require_grain
from ffnn_jax.training._images import Chunk, HostImages, Images
from ffnn_jax.training._placement import by_image, mesh_for, replicated
from ffnn_jax.training._sampling import Sampling, SeedData, batch_indices, validation_indices
from ffnn_jax.training._step import CHUNK_STEPS

_SHARE = 0.5  # of the device's memory that images may take
_CHUNK_BYTES = 32 << 20


class InMemoryLoader:
    """All images in the place of each seed, where each step gathers its batch."""

    chunk_steps = CHUNK_STEPS

    def __init__(self, images: HostImages, seed_places: Sequence[Sharding]) -> None:
        """Puts the images on the devices, once on each."""
        whole = images.concatenated()
        copies = {place: replicated(whole, place) for place in seed_places}
        self._images = [copies[place] for place in seed_places]

    def training(self, index: int, step: int) -> Images:
        """All images."""
        return self._images[index]

    validation = training


class StreamingLoader:
    """Images on the host; chunks of batches are sent to the seeds' places ahead of use."""

    def __init__(
        self,
        images: HostImages,
        seeds_data: Sequence[SeedData],
        settings: Settings,
        seed_places: Sequence[Sharding],
    ) -> None:
        """Opens a stream for each seed; raises a UserError if Grain is not installed."""
        sampling = Sampling(settings.batch_size, settings.sampling)
        args = sampling, settings.steps, len(seeds_data)
        self._streams = [
            Stream(images, seed_data, *args, place)
            for seed_data, place in zip(seeds_data, seed_places, strict=True)
        ]
        self.chunk_steps = self._streams[0].chunk_steps
        self._images, self._seeds_data, self._places = images, seeds_data, seed_places
        sizes = {"size": settings.batch_size, "batches": settings.validation_batches}
        self._draw = jax.jit(functools.partial(validation_indices, **sizes))

    def training(self, index: int, step: int) -> Chunk:
        """The chunk that holds the step's batch."""
        return self._streams[index].chunk_at(step)

    def validation(self, index: int, step: int) -> Chunk:
        """The batches for validation."""
        indices = np.asarray(self._draw(self._seeds_data[index], jnp.asarray(step, "int32")))
        return put_chunk(self._images, step, indices, self._places[index])


Loader = InMemoryLoader | StreamingLoader


class Stream:
    """One seed's batches, prefetched chunk by chunk to its place, each device its share alone.

    A Grain iterator builds the chunks: while one is trained on, the next is gathered. The more
    streams share the device, the shorter the chunks.

    Raises:
        UserError: Grain is not installed.
    """

    def __init__(
        self,
        images: HostImages,
        seed_data: SeedData,
        sampling: Sampling,
        steps: int,
        streams: int = 1,
        place: Sharding | None = None,
    ) -> None:
        """Starts nothing: the first chunk is built when it is requested."""
        require_grain()
        self.chunk_steps = steps_per_chunk(streams * images.image_bytes * sampling.size)
        self._images, self._count = images, -(-steps // self.chunk_steps)
        self._place = place or SingleDeviceSharding(device_in_use())
        self._draw = _host_draw(seed_data, sampling, self.chunk_steps)
        self._chunks, self._last = self._chunks_from(0), -1
        self._current: Chunk | None = None

    def chunk_at(self, step: int) -> Chunk:
        """The chunk with a step's batch; request steps in increasing order, gaps are allowed.

        Raises:
            ValueError: the stream has passed this chunk.
        """
        index = step // self.chunk_steps
        if index < self._last:
            raise ValueError(f"chunk_at: the stream has passed step {step}")
        if index > self._last + 1:
            self._chunks = self._chunks_from(index)
        if index > self._last:
            self._current, self._last = next(self._chunks), index
        assert self._current is not None
        return self._current

    def _make_chunk(self, index: int) -> Chunk:
        first = index * self.chunk_steps
        return put_chunk(self._images, first, self._draw(np.int32(first)), self._place)

    def _chunks_from(self, first: int) -> Iterator[Chunk]:
        """Iterates over the chunks from this one on, each built while the one before is in use."""
        import grain

        ahead = grain.ReadOptions(num_threads=1, prefetch_buffer_size=1)
        indices = grain.MapDataset.range(first, self._count)
        return iter(indices.map(self._make_chunk).to_iter_dataset(ahead))


def put_chunk(
    images: HostImages, first: int, indices: Int32[np.ndarray, "S B"], place: Sharding
) -> Chunk:
    """The images at these indices in a place, of which each process gathers its own share."""
    size = indices.shape[1]
    split = by_image(place, axis=1) if mesh_for(place, size) is not None else place
    parts = split.addressable_devices_indices_map(indices.shape).values()
    starts, stops, _ = zip(*(part[1].indices(size) for part in parts if part), strict=True)
    own = images.chunk(first, indices[:, min(starts) : max(stops)])

    def put(array: np.ndarray) -> Array:
        whole = array.shape[0], size, *array.shape[2:]
        return jax.make_array_from_process_local_data(split, array, whole)

    return Chunk(replicated(own.first, place), *jax.tree.map(put, own[1:]))


def fits_on_device(images: HostImages) -> bool:
    """Whether the images take at most half of the device's memory."""
    stats = device_in_use().memory_stats() or {}
    memory = stats.get("bytes_limit") or usable_memory()
    return len(images) * images.image_bytes <= _SHARE * memory


def steps_per_chunk(batch_bytes: int) -> int:
    """The number of steps whose batches take about 32 MiB, from 1 to ``CHUNK_STEPS``."""
    return min(max(_CHUNK_BYTES // batch_bytes, 1), CHUNK_STEPS)


def _host_draw(
    seed_data: SeedData, sampling: Sampling, steps: int
) -> Callable[[Int32[Any, ""]], Int32[np.ndarray, "S B"]]:
    """Returns a function that draws a chunk's indices on the CPU: the device is busy."""
    cpu = jax.local_devices(backend="cpu")[0]
    host_seed_data = jax.device_put(seed_data, cpu)

    @jax.jit
    def draw(first: Int32[Any, ""]) -> Int32[Array, "S B"]:
        numbers = first + jnp.arange(steps, dtype="int32")
        return jax.lax.map(lambda step: batch_indices(host_seed_data, step, sampling), numbers)

    return lambda first: np.asarray(draw(jax.device_put(first, cpu)))
