"""How the seeds of a run are trained: each by itself from a thread a core, or all as one program.

On a CPU one program of many seeds is slower than many of one, and threads, which keep a core busy
while another seed waits for its own, take 0.76 to 0.93 of the time of one seed after another. A GPU
and a TPU are left idle by the small step of one seed, so there one program makes the steps of all.
``experiments/seeds.py`` times the ways.
"""

import itertools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ffnn_jax.config import Settings
from ffnn_jax.network import Network
from ffnn_jax.training._feed import Feed, Resident
from ffnn_jax.training._rows import Member
from ffnn_jax.training._step import (
    ChunkMetrics,
    TrainState,
    make_train_chunk,
    make_validate,
)


class Seeds(Protocol):
    """The states of all seeds, and the compiled programs that change and look at them."""

    def advance(self, step: int, stop: int) -> list[ChunkMetrics]:
        """Makes the steps after ``step`` up to ``stop``; returns each seed's metrics."""
        ...

    def look(self, stop: int) -> list[float]:
        """Each seed's accuracy over a few batches of validation images."""
        ...

    def states(self) -> list[TrainState]:
        """Each seed's state, on the host."""
        ...

    def restore(self, states: Sequence[TrainState]) -> None:
        """Puts the seeds into these states."""
        ...


def make_seeds(
    network: Network,
    optimizer: optax.GradientTransformation,
    settings: Settings,
    feed: Feed,
    members: Sequence[Member],
    start: Sequence[TrainState],
) -> Seeds:
    """The seeds in these states, in the way that is best for their device, compiled.

    Args:
        network: maps images to logits.
        optimizer: ours or any of optax's.
        settings: batch size, augmentations, precision and validation.
        feed: gives each step its images.
        members: one for each seed, on the device.
        start: where each seed is.
    """
    states = jax.device_put(list(start))
    batch_size, decay = settings.batch_size, settings.weight_decay
    chunk = make_train_chunk(
        network, optimizer, batch_size, decay, settings.augmentations, settings.precision
    )
    validate = make_validate(network, batch_size, settings.validation_batches)
    way = _Together if _is_one_program(feed, members) else _SideBySide
    return way(states, members, feed, chunk, validate)


def _is_one_program(feed: Feed, members: Sequence[Member]) -> bool:
    """Whether there are several seeds, with all images on a device that is no CPU."""
    (platform,) = {device.platform for device in members[0].normalisation.mean.devices()}
    return platform != "cpu" and len(members) > 1 and isinstance(feed, Resident)


class _SideBySide:
    """A program for one seed, called for each from a thread a core."""

    def __init__(
        self,
        states: list[TrainState],
        members: Sequence[Member],
        feed: Feed,
        chunk: jax.stages.Wrapped,
        validate: jax.stages.Wrapped,
    ) -> None:
        self._states, self._members, self._feed = states, members, feed
        first = states[0], members[0]
        self._chunk, self._validate = _compiled(chunk, validate, feed, *first)

    def advance(self, step: int, stop: int) -> list[ChunkMetrics]:
        every = range(len(self._states))
        sources = [self._feed.training(index, step) for index in every]
        with ThreadPoolExecutor(_cores()) as pool:
            return list(pool.map(self._advance_one, every, sources, itertools.repeat(stop)))

    def look(self, stop: int) -> list[float]:
        pairs = enumerate(zip(self._states, self._members, strict=True))
        return [
            float(self._validate(state, self._feed.validation(index, stop), member))
            for index, (state, member) in pairs
        ]

    def states(self) -> list[TrainState]:
        return jax.device_get(self._states)

    def restore(self, states: Sequence[TrainState]) -> None:
        self._states = jax.device_put(list(states))

    def _advance_one(self, index: int, source: Any, stop: int) -> ChunkMetrics:
        self._states[index], metrics = self._chunk(
            self._states[index], np.int32(stop), source, self._members[index]
        )
        return jax.device_get(metrics)


class _Together:
    """One program for all seeds: states and members with an axis of seeds in front."""

    def __init__(
        self,
        states: list[TrainState],
        members: Sequence[Member],
        feed: Feed,
        chunk: jax.stages.Wrapped,
        validate: jax.stages.Wrapped,
    ) -> None:
        self._count, self._feed = len(states), feed
        self._states, self._members = _stacked(states), _stacked(members)
        chunks = jax.jit(jax.vmap(chunk, in_axes=(0, None, None, 0)), donate_argnums=0)
        looks = jax.jit(jax.vmap(validate, in_axes=(0, None, 0)))
        self._chunk, self._validate = _compiled(chunks, looks, feed, self._states, self._members)

    def advance(self, step: int, stop: int) -> list[ChunkMetrics]:
        source = self._feed.training(0, step)
        self._states, metrics = self._chunk(self._states, np.int32(stop), source, self._members)
        return _unstacked(metrics, self._count)

    def look(self, stop: int) -> list[float]:
        source = self._feed.validation(0, stop)
        return np.asarray(self._validate(self._states, source, self._members)).tolist()

    def states(self) -> list[TrainState]:
        return _unstacked(self._states, self._count)

    def restore(self, states: Sequence[TrainState]) -> None:
        self._states = _stacked(states)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _compiled(
    chunk: jax.stages.Wrapped, validate: jax.stages.Wrapped, feed: Feed, state: Any, member: Any
) -> tuple[Any, Any]:
    return (
        chunk.lower(state, np.int32(0), feed.training(0, 0), member).compile(),
        validate.lower(state, feed.validation(0, 0), member).compile(),
    )


def _stacked(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _unstacked(tree: Any, count: int) -> list[Any]:
    host = jax.device_get(tree)
    return [jax.tree.map(lambda leaf, at=index: leaf[at], host) for index in range(count)]
