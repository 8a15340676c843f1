"""The training step, and the compiled scan over many of them.

A step is a pure function of the state: its batch is drawn and augmented from (seed, step), so
training can resume from a state alone, and always continues from it in the same way.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Sharding
from jaxtyping import Array, Bool, Float, Int32, Key

from ffnn_jax import nn
from ffnn_jax.config import Augmentation
from ffnn_jax.layers._shards import batch_mesh
from ffnn_jax.layers.fast import Table, compiler_options, forms
from ffnn_jax.network import Network, Params, State, combine, normalise, partition
from ffnn_jax.optim import Lookahead, decay_loss
from ffnn_jax.training import _sampling
from ffnn_jax.training._augment import augment
from ffnn_jax.training._gradients import Batch, Loss, loss_and_gradients, make_loss
from ffnn_jax.training._images import Chunk, Source
from ffnn_jax.training._placement import cut_into_shards, drawn_alike, mesh_for
from ffnn_jax.training._sampling import Sampling, SeedData, batch_indices, key_of

CHUNK_STEPS = 100


class TrainState(NamedTuple):
    """Everything a step changes: parameters, state of the layers and the optimiser, step count.

    With lookahead also the slow parameters and state.
    """

    params: Params
    state: State
    opt_state: Any
    step: Int32[Array, ""]
    slow: Any = ()


class ChunkMetrics(NamedTuple):
    """Loss, accuracy and weight-decay loss of each batch; 0 for steps that were not run."""

    loss: Float[Array, " CHUNK_STEPS"]
    accuracy: Float[Array, " CHUNK_STEPS"]
    decay_loss: Float[Array, " CHUNK_STEPS"]


Updated = tuple[TrainState, ChunkMetrics]


def initial_state(
    network: Network,
    optimizer: optax.GradientTransformation,
    key: Key[Array, ""],
    images: Float[Array, "N H W C"] | None = None,
    looks_ahead: bool = False,
) -> TrainState:
    """The state before the first step; some parameters are computed from normalised images."""
    params, state = network.init(jax.random.fold_in(key, _sampling.INITIALISATION), images)
    trained, _ = partition(params, network.param_attribute("trained"))
    slow = jax.tree.map(jnp.copy, (trained, state)) if looks_ahead else ()
    return TrainState(params, state, optimizer.init(trained), jnp.zeros((), jnp.int32), slow)


def make_train_chunk(
    network: Network,
    optimizer: optax.GradientTransformation,
    batch_size: int,
    weight_decay: float = 0.0,
    augmentations: tuple[Augmentation, ...] = (),
    precision: str = "float32",
    sampling: str = "independent",
    table: Table = (),
    label_smoothing: float = 0.0,
    lookahead: Lookahead | None = None,
    place: Sharding | None = None,
) -> jax.stages.Wrapped:
    """Returns a jitted function that runs many training steps as one compiled scan.

    The optimiser, ours or any of optax, receives only the trained parameters, and applies the
    weight decay: here it is for the metrics. The other settings are those of ``Settings``, whose
    ``forms`` are the table. A place of several devices cuts each batch into one shard a device.

    Returns:
        ``chunk(state, stop, source, seed_data) -> (state, metrics)``: runs steps until
        ``state.step`` is ``stop``, at most 100. The source is all images, from which each step
        draws its batch, or a ``Chunk`` of batches, which no step goes beyond. The state is
        donated: the one passed in is deleted. It is compiled once, whatever ``stop`` is.
    """
    batch_sampling = Sampling(batch_size, sampling)
    loss_of = make_loss(network, precision, label_smoothing)
    update = _make_update(network, optimizer, weight_decay, loss_of, lookahead)

    def step(size: int, state: TrainState, source: Source, seed_data: SeedData) -> Updated:
        args = source, seed_data, state.step, batch_sampling, augmentations, size, place
        with batch_mesh(mesh_for(place, size)):
            return update(state, inputs_at(network, *args))

    def train_step(state: TrainState, source: Source, seed_data: SeedData) -> Updated:
        count = seed_data.train.shape[0]
        whole, size = partial(step, batch_size), batch_sampling.partial_size(count)
        if not size:
            return whole(state, source, seed_data)
        is_last = batch_sampling.is_last(state.step, count)
        return jax.lax.cond(is_last, partial(step, size), whole, state, source, seed_data)

    def chunk(
        state: TrainState, stop: Int32[Any, ""], source: Source, seed_data: SeedData
    ) -> Updated:
        steps = CHUNK_STEPS
        if isinstance(source, Chunk):
            steps = len(source.images.labels)
            stop = jnp.minimum(stop, source.first + steps)

        def scan_step(state: TrainState, _: None) -> Updated:
            return jax.lax.cond(state.step < stop, train_step, _skip, state, source, seed_data)

        with forms(table):
            return jax.lax.scan(scan_step, state, None, length=steps)

    options = compiler_options(table)
    return jax.jit(chunk, donate_argnums=0, out_shardings=place, compiler_options=options)


def inputs_at(
    network: Network,
    source: Source,
    seed_data: SeedData,
    step: Int32[Array, ""],
    sampling: Sampling,
    augmentations: tuple[Augmentation, ...],
    size: int,
    place: Sharding | None = None,
) -> Batch:
    """The batch of a step: images normalised and augmented, labels, and keys for random layers.

    A partial batch is the first ``size`` images drawn. Several devices draw the same indices, and
    take their shards.
    """
    if isinstance(source, Chunk):
        offset = step - source.first
        drawn = source.images.at(offset), source.indices[offset]
    else:
        every = drawn_alike(place, batch_indices(seed_data, step, sampling))
        drawn = source.at(every), every
    images, indices = cut_into_shards(place, jax.tree.map(lambda array: array[:size], drawn))
    x = normalise(images.pixels, seed_data.normalisation)
    if augmentations:
        epoch = sampling.epoch(step, seed_data.train.shape[0])
        key = key_of(seed_data, _sampling.AUGMENTATION, step)
        seed_key = jax.random.fold_in(seed_data.key, _sampling.FLIPS)
        x = augment(key, x, augmentations, indices, epoch, seed_key)
    if not network.needs_key:
        return x, images.labels, None
    keys = nn.image_keys(key_of(seed_data, _sampling.LAYERS, step), len(images.labels))
    return x, images.labels, cut_into_shards(place, keys)


def _make_update(
    network: Network,
    optimizer: optax.GradientTransformation,
    weight_decay: float,
    loss_of: Loss,
    lookahead: Lookahead | None,
) -> Callable[[TrainState, Batch], Updated]:
    """Returns a function that runs one step on a batch: forward, backward, update."""
    is_trained = network.param_attribute("trained")
    decayed = network.trained_param_attribute("decayed")

    def update(before: TrainState, batch: Batch) -> Updated:
        trained, frozen = partition(before.params, is_trained)
        loss, logits, state, grads = loss_and_gradients(
            loss_of, trained, frozen, before.state, batch, network.allows_micro_batches
        )
        updates, opt_state = optimizer.update(grads, before.opt_state, trained)
        fast, slow = (optax.apply_updates(trained, updates), state), before.slow
        if lookahead is not None:
            slow, fast = lookahead(slow, fast, before.step + 1)
        params: Any = combine(fast[0], frozen)
        accuracy = jnp.mean(correct(logits, batch[1]), dtype=loss.dtype)
        metrics = ChunkMetrics(loss, accuracy, decay_loss(trained, weight_decay, decayed))
        return TrainState(params, fast[1], opt_state, before.step + 1, slow), metrics

    return update


def _skip(state: TrainState, source: Source, seed_data: SeedData) -> Updated:
    """No-op step after ``stop``; its metrics are 0, since ``jax_debug_nans`` rejects NaN."""
    zero = jnp.zeros((), jax.tree.leaves(state.params)[0].dtype)
    return state, ChunkMetrics(zero, zero, zero)


def correct(logits: Float[Array, "N K"], labels: Int32[Array, " N"]) -> Bool[Array, " N"]:
    """Whether each image's largest logit is that of its class."""
    return jax.lax.argmax(logits, 1, labels.dtype) == labels
