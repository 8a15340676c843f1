"""How the seeds of a run are trained: separately, with one thread per core, or all as one program.

On several devices each seed has its place, see ``_placement``; one program has all seeds' shares.

On a CPU one program for many seeds is slower than one program per seed, and threads, which keep the
cores busy while other seeds wait, take 0.76 to 0.93 of the time of one seed after another. The
small step of one seed leaves a GPU or TPU mostly idle, so there one program runs all seeds; large
steps fill it, and go seed by seed.
``experiments/seeds.py`` times the alternatives.
"""

import dataclasses
import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import NamedSharding, Sharding
from jaxtyping import Array, Float

from ffnn_jax._processor import usable_cores
from ffnn_jax.config import Settings
from ffnn_jax.layers._shards import batch_mesh
from ffnn_jax.layers.fast import Table, compiler_options, forms
from ffnn_jax.network import Network, normalise
from ffnn_jax.optim import Lookahead
from ffnn_jax.training._images import Chunk, Images, Source
from ffnn_jax.training._loader import InMemoryLoader, Loader
from ffnn_jax.training._placement import by_seed, cut_into_shards, mesh_for, replicated
from ffnn_jax.training._sampling import SeedData, validation_indices
from ffnn_jax.training._step import ChunkMetrics, TrainState, correct, make_train_chunk

_LARGE_STEP = 5e9  # floating-point operations of a forward pass that keep a GPU busy


def make_trainer(
    network: Network,
    optimizer: optax.GradientTransformation,
    settings: Settings,
    loader: Loader,
    seeds_data: Sequence[SeedData],
    start: Sequence[TrainState],
    seed_places: Sequence[Sharding],
) -> "Trainer":
    """Returns the trainer that is fastest in the seeds' places, with its programs compiled."""
    size, table = settings.batch_size, settings.forms or ()
    lookahead = Lookahead(settings.lookahead, settings.steps) if settings.lookahead else None

    def programs(place: Sharding | None) -> tuple[jax.stages.Wrapped, jax.stages.Wrapped]:
        return make_train_chunk(
            network, optimizer, size, settings.weight_decay, settings.augmentations,
            settings.precision, settings.sampling, table, settings.label_smoothing, lookahead,
            place,
        ), make_validation(network, size, settings.validation_batches, table, place)  # fmt: skip

    if not (is_one_program(network, settings) and isinstance(loader, InMemoryLoader)):
        states = list(map(replicated, start, seed_places))
        distinct = dict.fromkeys(seed_places)
        firsts = [seed_places.index(place) for place in distinct]
        lowered = [
            _lowered(*programs(seed_places[k]), loader, k, states[k], seeds_data[k]) for k in firsts
        ]
        by_place = dict(zip(distinct, _compiled(lowered), strict=True))
        own = [by_place[place] for place in seed_places]
        return _ThreadedTrainer(loader, states, seeds_data, seed_places, own)
    chunk, validate = programs(None)
    place = by_seed(seed_places[0])
    chunks = jax.jit(
        jax.vmap(chunk, in_axes=(0, None, None, 0)), donate_argnums=0, out_shardings=place
    )
    validations = jax.jit(jax.vmap(validate, in_axes=(0, None, 0)))
    states, data = jax.device_put((_stack(start), _stack(seeds_data)), place)
    (functions,) = _compiled([_lowered(chunks, validations, loader, 0, states, data)])
    return _VmappedTrainer(loader, states, data, place, len(start), *functions)


def make_validation(
    network: Network,
    batch_size: int,
    batches: int,
    table: Table = (),
    place: Sharding | None = None,
) -> jax.stages.Wrapped:
    """Returns a jitted function that measures accuracy on a few validation batches.

    ``validate(state, source, seed_data)`` draws them from (seed, step), each of all validation
    images if there are fewer; the source is all images, or a ``Chunk`` of those batches.
    """

    def validate(state: Any, source: Source, seed_data: SeedData) -> Float[Array, ""]:
        def accuracy_of(batch: Images) -> Array:
            batch = cut_into_shards(place, batch)
            x = normalise(batch.pixels, seed_data.normalisation)
            with forms(table), batch_mesh(mesh_for(place, len(batch.labels))):
                logits, _ = network.apply(state.params, state.state, x)
            return jnp.mean(correct(logits, batch.labels), dtype=jnp.float32)

        if isinstance(source, Chunk):
            return jnp.mean(jax.lax.map(accuracy_of, source.images))
        indices = validation_indices(seed_data, state.step, batch_size, batches)
        return jnp.mean(jax.lax.map(lambda batch: accuracy_of(source.at(batch)), indices))

    return jax.jit(validate, compiler_options=compiler_options(table))


def is_one_program(network: Network, settings: Settings) -> bool:
    """Whether several seeds are one program: on other devices than a CPU, if steps are small."""
    step = network.summary().forward_flops * settings.batch_size
    return jax.default_backend() != "cpu" and settings.seeds > 1 and step < _LARGE_STEP


@dataclasses.dataclass
class _ThreadedTrainer:
    """A program for one seed, called for every seed, with one thread per core or device."""

    _loader: Loader
    _states: list[TrainState]
    _seeds_data: Sequence[SeedData]
    _places: Sequence[Sharding]
    _programs: Sequence[tuple[Any, Any]]

    def run_steps(self, step: int, stop: int) -> list[ChunkMetrics]:
        """Runs the steps after ``step`` up to ``stop``; returns each seed's metrics."""
        indices = range(len(self._states))
        sources = [self._loader.training(index, step) for index in indices]
        with ThreadPoolExecutor(_threads(self._places)) as pool:
            return list(pool.map(self._run_one, indices, sources, itertools.repeat(stop)))

    def validate(self, stop: int) -> Sequence[float | None]:
        """Each seed's accuracy over a few validation batches; None without validation images."""
        seeds = enumerate(zip(self._states, self._seeds_data, self._programs, strict=True))
        return [
            validate and float(validate(state, self._loader.validation(index, stop), seed_data))
            for index, (state, seed_data, (_, validate)) in seeds
        ]

    def states(self) -> list[TrainState]:
        """Each seed's state, on the host."""
        return jax.device_get(self._states)

    def copies(self) -> list[TrainState]:
        """Each seed's state, copied on the device."""
        return jax.tree.map(jnp.copy, self._states)

    def restore(self, states: Sequence[TrainState]) -> None:
        """Sets the seeds' states."""
        self._states = jax.tree.map(jnp.copy, list(map(replicated, states, self._places)))

    def _run_one(self, index: int, source: Any, stop: int) -> ChunkMetrics:
        with jax.debug_nans(False), jax.debug_infs(False):  # settings of this thread: see NanCheck
            chunk, _ = self._programs[index]
            self._states[index], metrics = chunk(
                self._states[index], np.int32(stop), source, self._seeds_data[index]
            )
        return jax.device_get(metrics)


@dataclasses.dataclass
class _VmappedTrainer:
    """One program for all seeds: states and data have a leading seed axis."""

    _loader: Loader
    _states: Any
    _seeds_data: Any
    _place: Sharding
    _count: int
    _chunk: Any
    _validate: Any

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

    copies = states

    def restore(self, states: Sequence[TrainState]) -> None:
        self._states = jax.device_put(_stack(states), self._place)


Trainer = _ThreadedTrainer | _VmappedTrainer


def _lowered(
    chunk: jax.stages.Wrapped,
    validate: jax.stages.Wrapped,
    loader: Loader,
    index: int,
    state: Any,
    data: Any,
) -> list[jax.stages.Lowered]:
    """Both functions for a seed's place; the first alone without validation images."""
    lowered = [chunk.lower(state, np.int32(0), loader.training(index, 0), data)]
    if data.validation.shape[-1]:
        lowered.append(validate.lower(state, loader.validation(index, 0), data))
    return lowered


def _compiled(of_places: Sequence[Sequence[jax.stages.Lowered]]) -> list[tuple[Any, Any]]:
    """Compiles all programs at once; the second of a place is None if there is none."""
    with ThreadPoolExecutor() as pool:
        waiting = [[pool.submit(one.compile) for one in lowered] for lowered in of_places]
    compiled = [[future.result() for future in futures] for futures in waiting]
    return [(*programs, None)[:2] for programs in compiled]  # type: ignore[misc]


def _threads(seed_places: Sequence[Sharding]) -> int:
    """One a place; on a CPU one a core, or one in all if the shards of a batch share the cores."""
    if jax.default_backend() != "cpu":
        return len(set(seed_places))
    return 1 if isinstance(seed_places[0], NamedSharding) else usable_cores()


def _stack(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _unstack(tree: Any, count: int) -> list[Any]:
    host = jax.device_get(tree)
    return [jax.tree.map(lambda leaf, at=index: leaf[at], host) for index in range(count)]
