"""How the seeds of a run are trained: separately, with one thread per core, or all as one program.

On a CPU one program for many seeds is slower than one program per seed, and threads, which keep the
cores busy while other seeds wait, take 0.76 to 0.93 of the time of one seed after another. The
small step of one seed leaves a GPU or TPU mostly idle, so there one program runs all seeds.
``experiments/seeds.py`` times the alternatives.
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
from ffnn_jax.training._step import ChunkMetrics, TrainState, make_train_chunk


class Trainer(Protocol):
    """The states of all seeds, and the compiled programs that train and validate them."""

    def run_steps(self, step: int, stop: int) -> list[ChunkMetrics]:
        """Runs the steps after ``step`` up to ``stop``; returns each seed's metrics."""
        ...

    def validate(self, stop: int) -> Sequence[float | None]:
        """Each seed's accuracy over a few validation batches; None without validation images."""
        ...

    def states(self) -> list[TrainState]:
        """Each seed's state, on the host."""
        ...

    def restore(self, states: Sequence[TrainState]) -> None:
        """Sets the seeds' states."""
        ...


def make_trainer(
    network: Network,
    optimizer: optax.GradientTransformation,
    settings: Settings,
    loader: Loader,
    seeds_data: Sequence[SeedData],
    start: Sequence[TrainState],
) -> Trainer:
    """Returns the trainer that is fastest on the seeds' device, with its programs compiled.

    Args:
        network: maps images to logits.
        optimizer: ours or any optax optimiser.
        settings: batch size, augmentations, precision and validation.
        loader: supplies each step's images.
        seeds_data: one entry per seed, on the device.
        start: initial state of each seed.
    """
    states = jax.device_put(list(start))
    batch_size, decay = settings.batch_size, settings.weight_decay
    chunk = make_train_chunk(
        network, optimizer, batch_size, decay, settings.augmentations, settings.precision,
        settings.sampling,
    )  # fmt: skip
    validate = make_validation(network, batch_size, settings.validation_batches)
    trainer = _VmappedTrainer if _is_one_program(loader, seeds_data) else _ThreadedTrainer
    return trainer(states, seeds_data, loader, _Programs(chunk, validate))


def _is_one_program(loader: Loader, seeds_data: Sequence[SeedData]) -> bool:
    """Whether there are several seeds, with all images on a device other than a CPU."""
    (platform,) = {device.platform for device in seeds_data[0].train.devices()}
    return platform != "cpu" and len(seeds_data) > 1 and isinstance(loader, InMemoryLoader)


class _Programs(NamedTuple):
    """The training and validation functions, not yet compiled."""

    chunk: jax.stages.Wrapped
    validate: jax.stages.Wrapped

    def over_seeds(self) -> "_Programs":
        """The same functions, over a leading seed axis of states and data."""
        chunk = jax.vmap(self.chunk, in_axes=(0, None, None, 0))
        validate = jax.vmap(self.validate, in_axes=(0, None, 0))
        return _Programs(jax.jit(chunk, donate_argnums=0), jax.jit(validate))

    def compiled(self, loader: Loader, state: Any, seed_data: Any) -> tuple[Any, Any]:
        """Compiles both functions; the second is None without validation images."""
        source = loader.training(0, 0)
        chunk = self.chunk.lower(state, np.int32(0), source, seed_data).compile()
        if not seed_data.validation.shape[-1]:
            return chunk, None
        return chunk, self.validate.lower(state, loader.validation(0, 0), seed_data).compile()


class _ThreadedTrainer:
    """A program for one seed, called for every seed, with one thread per core."""

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
        indices = range(len(self._states))
        sources = [self._loader.training(index, step) for index in indices]
        with ThreadPoolExecutor(usable_cores()) as pool:
            return list(pool.map(self._run_one, indices, sources, itertools.repeat(stop)))

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
    """One program for all seeds: states and data have a leading seed axis."""

    def __init__(
        self,
        states: list[TrainState],
        seeds_data: Sequence[SeedData],
        loader: Loader,
        programs: _Programs,
    ) -> None:
        self._count, self._loader = len(states), loader
        self._states, self._seeds_data = _stack(states), _stack(seeds_data)
        self._chunk, self._validate = programs.over_seeds().compiled(
            loader, self._states, self._seeds_data
        )

    def run_steps(self, step: int, stop: int) -> list[ChunkMetrics]:
        source = self._loader.training(0, step)
        self._states, metrics = self._chunk(self._states, np.int32(stop), source, self._seeds_data)
        return _unstack(metrics, self._count)

    def validate(self, stop: int) -> Sequence[float | None]:
        if self._validate is None:
            return [None] * self._count
        source = self._loader.validation(0, stop)
        return np.asarray(self._validate(self._states, source, self._seeds_data)).tolist()

    def states(self) -> list[TrainState]:
        return _unstack(self._states, self._count)

    def restore(self, states: Sequence[TrainState]) -> None:
        self._states = _stack(states)


def _stack(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _unstack(tree: Any, count: int) -> list[Any]:
    host = jax.device_get(tree)
    return [jax.tree.map(lambda leaf, at=index: leaf[at], host) for index in range(count)]
