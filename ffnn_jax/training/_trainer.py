"""How the seeds of a run are trained: each by itself from a thread a core, or all as one program.

On a CPU one program of many seeds is slower than many of one, and threads, which keep a core busy
while another seed waits for its own, take 0.76 to 0.93 of the time of one seed after another. A GPU
and a TPU are left idle by the small step of one seed, so there one program makes the steps of all.
``experiments/seeds.py`` times the ways.
"""

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ffnn_jax._processor import usable_cores
from ffnn_jax.config import Settings
from ffnn_jax.network import Network
from ffnn_jax.training._accuracy import make_validation
from ffnn_jax.training._loader import InMemoryLoader, Loader
from ffnn_jax.training._sampling import SeedData
from ffnn_jax.training._step import (
    ChunkMetrics,
    TrainState,
    make_train_chunk,
)


class Trainer(Protocol):
    """The states of all seeds, and the compiled programs that change and look at them."""

    def run_steps(self, step: int, stop: int) -> list[ChunkMetrics]:
        """Makes the steps after ``step`` up to ``stop``; returns each seed's metrics."""
        ...

    def validate(self, stop: int) -> Sequence[float | None]:
        """Each seed's accuracy over a few batches of validation images; None without any."""
        ...

    def states(self) -> list[TrainState]:
        """Each seed's state, on the host."""
        ...

    def restore(self, states: Sequence[TrainState]) -> None:
        """Puts the seeds into these states."""
        ...


def make_trainer(
    network: Network,
    optimizer: optax.GradientTransformation,
    settings: Settings,
    loader: Loader,
    seeds_data: Sequence[SeedData],
    start: Sequence[TrainState],
) -> Trainer:
    """The seeds in these states, in the way that is best for their device, compiled.

    Args:
        network: maps images to logits.
        optimizer: ours or any of optax's.
        settings: batch size, augmentations, precision and validation.
        loader: gives each step its images.
        seeds_data: one for each seed, on the device.
        start: where each seed is.
    """
    states = jax.device_put(list(start))
    batch_size, decay = settings.batch_size, settings.weight_decay
    chunk = make_train_chunk(
        network,
        optimizer,
        batch_size,
        decay,
        settings.augmentations,
        settings.precision,
        settings.sampling,
    )
    validate = make_validation(network, batch_size, settings.validation_batches)
    way = _VmappedTrainer if _is_one_program(loader, seeds_data) else _ThreadedTrainer
    return way(states, seeds_data, loader, _Programs(chunk, validate))


def _is_one_program(loader: Loader, seeds_data: Sequence[SeedData]) -> bool:
    """Whether there are several seeds, with all images on a device that is no CPU."""
    (platform,) = {device.platform for device in seeds_data[0].train.devices()}
    return platform != "cpu" and len(seeds_data) > 1 and isinstance(loader, InMemoryLoader)


class _Programs(NamedTuple):
    """The training chunk and the validation, not yet compiled."""

    chunk: jax.stages.Wrapped
    validate: jax.stages.Wrapped

    def over_seeds(self) -> "_Programs":
        """The same for states and seeds' data with an axis of seeds in front."""
        chunk = jax.vmap(self.chunk, in_axes=(0, None, None, 0))
        validate = jax.vmap(self.validate, in_axes=(0, None, 0))
        return _Programs(jax.jit(chunk, donate_argnums=0), jax.jit(validate))

    def compiled(self, loader: Loader, state: Any, seed_data: Any) -> tuple[Any, Any]:
        """Both, compiled; None for the second where there are no validation images."""
        source = loader.training(0, 0)
        chunk = self.chunk.lower(state, np.int32(0), source, seed_data).compile()
        if not seed_data.validation.shape[-1]:
            return chunk, None
        return chunk, self.validate.lower(state, loader.validation(0, 0), seed_data).compile()


class _ThreadedTrainer:
    """A program for one seed, called for each from a thread a core."""

    def __init__(
        self,
        states: list[TrainState],
        seeds_data: Sequence[SeedData],
        loader: Loader,
        programs: _Programs,
    ) -> None:
        self._states, self._seeds_data, self._loader = states, seeds_data, loader
        self._chunk, self._validate = programs.compiled(loader, states[0], seeds_data[0])

    def run_steps(self, step: int, stop: int) -> list[ChunkMetrics]:
        every = range(len(self._states))
        sources = [self._loader.training(index, step) for index in every]
        with ThreadPoolExecutor(usable_cores()) as pool:
            return list(pool.map(self._run_one, every, sources, itertools.repeat(stop)))

    def validate(self, stop: int) -> Sequence[float | None]:
        if self._validate is None:
            return [None] * len(self._states)
        pairs = enumerate(zip(self._states, self._seeds_data, strict=True))
        return [
            float(self._validate(state, self._loader.validation(index, stop), seed_data))
            for index, (state, seed_data) in pairs
        ]

    def states(self) -> list[TrainState]:
        return jax.device_get(self._states)

    def restore(self, states: Sequence[TrainState]) -> None:
        self._states = jax.device_put(list(states))

    def _run_one(self, index: int, source: Any, stop: int) -> ChunkMetrics:
        self._states[index], metrics = self._chunk(
            self._states[index], np.int32(stop), source, self._seeds_data[index]
        )
        return jax.device_get(metrics)


class _VmappedTrainer:
    """One program for all seeds: states and seeds' data with an axis of seeds in front."""

    def __init__(
        self,
        states: list[TrainState],
        seeds_data: Sequence[SeedData],
        loader: Loader,
        programs: _Programs,
    ) -> None:
        self._count, self._loader = len(states), loader
        self._states, self._seeds_data = _stacked(states), _stacked(seeds_data)
        every = self._states, self._seeds_data
        self._chunk, self._validate = programs.over_seeds().compiled(loader, *every)

    def run_steps(self, step: int, stop: int) -> list[ChunkMetrics]:
        source = self._loader.training(0, step)
        self._states, metrics = self._chunk(self._states, np.int32(stop), source, self._seeds_data)
        return _unstacked(metrics, self._count)

    def validate(self, stop: int) -> Sequence[float | None]:
        if self._validate is None:
            return [None] * self._count
        source = self._loader.validation(0, stop)
        return np.asarray(self._validate(self._states, source, self._seeds_data)).tolist()

    def states(self) -> list[TrainState]:
        return _unstacked(self._states, self._count)

    def restore(self, states: Sequence[TrainState]) -> None:
        self._states = _stacked(states)


def _stacked(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _unstacked(tree: Any, count: int) -> list[Any]:
    host = jax.device_get(tree)
    return [jax.tree.map(lambda leaf, at=index: leaf[at], host) for index in range(count)]
