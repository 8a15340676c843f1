"""The training step, and the compiled scan over many of them.

A step is a pure function of the state: its batch is drawn from (seed, step), so a state is all
that is needed to go on, and the same state always goes on in the same way.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int32, Key

from ffnn_jax.layers import softmax_cross_entropy
from ffnn_jax.network import Network, Params
from ffnn_jax.optim import decay_loss
from ffnn_jax.training._batches import draw_distinct
from ffnn_jax.training._inputs import Images, Normalisation, normalise, rows_of

CHUNK_STEPS = 100
_INITIALISATION, _BATCHES, _VALIDATION = range(3)


class TrainState(NamedTuple):
    """All that a step changes: parameters, the optimiser's state, and the steps done."""

    params: Params
    momentum: Any
    step: Int32[Array, ""]


class Member(NamedTuple):
    """What belongs to one seed: its key, its training and validation rows, its normalisation."""

    key: Key[Array, ""]
    train: Int32[Any, " M"]
    validation: Int32[Any, " V"]
    normalisation: Normalisation


class ChunkMetrics(NamedTuple):
    """Loss, accuracy and weight decay's loss of each batch; NaN for steps that were not run."""

    loss: Float[Array, " CHUNK_STEPS"]
    accuracy: Float[Array, " CHUNK_STEPS"]
    decay_loss: Float[Array, " CHUNK_STEPS"]


def initial_state(
    network: Network, optimizer: optax.GradientTransformation, key: Key[Array, ""]
) -> TrainState:
    """The state before the first step, decided by the member's key."""
    params = network.init(jax.random.fold_in(key, _INITIALISATION))
    return TrainState(params, optimizer.init(params), jnp.zeros((), jnp.int32))


def make_train_chunk(
    network: Network,
    optimizer: optax.GradientTransformation,
    batch_size: int,
    weight_decay: float = 0.0,
) -> jax.stages.Wrapped:
    """Returns a jitted function that trains up to 100 steps as one compiled scan.

    Args:
        network: maps images to logits.
        optimizer: ours or any of optax's.
        batch_size: images a step.
        weight_decay: for the decay's loss among the metrics; the optimiser does the decaying.

    Returns:
        ``chunk(state, stop, images, member) -> (state, metrics)``: runs steps until
        ``state.step`` is ``stop``, or 100 of them. The state is donated: the one passed in is
        gone. It is compiled once, whatever ``stop`` is.
    """

    def train_step(
        state: TrainState, images: Images, member: Member
    ) -> tuple[TrainState, ChunkMetrics]:
        key = jax.random.fold_in(jax.random.fold_in(member.key, _BATCHES), state.step)
        rows = member.train[draw_distinct(key, batch_size, member.train.shape[0])]
        batch = rows_of(images, rows)
        x = normalise(batch.pixels, member.normalisation)

        def loss_of(params: Params) -> tuple[Array, Array]:
            logits = network.apply(params, x)
            return softmax_cross_entropy(logits, batch.labels), logits

        (loss, logits), grads = jax.value_and_grad(loss_of, has_aux=True)(state.params)
        updates, momentum = optimizer.update(grads, state.momentum, state.params)
        params: Any = optax.apply_updates(state.params, updates)
        accuracy = jnp.mean(_correct(logits, batch.labels), dtype=loss.dtype)
        decay = decay_loss(state.params, weight_decay)
        return TrainState(params, momentum, state.step + 1), ChunkMetrics(loss, accuracy, decay)

    def rest(state: TrainState, images: Images, member: Member) -> tuple[TrainState, ChunkMetrics]:
        nan = jnp.full((), jnp.nan, jax.tree.leaves(state.params)[0].dtype)
        return state, ChunkMetrics(nan, nan, nan)

    def chunk(
        state: TrainState, stop: Int32[Any, ""], images: Images, member: Member
    ) -> tuple[TrainState, ChunkMetrics]:
        def scanned(state: TrainState, _: None) -> tuple[TrainState, ChunkMetrics]:
            return jax.lax.cond(state.step < stop, train_step, rest, state, images, member)

        return jax.lax.scan(scanned, state, None, length=CHUNK_STEPS)

    return jax.jit(chunk, donate_argnums=0)


def make_validate(network: Network, batch_size: int, batches: int) -> jax.stages.Wrapped:
    """Returns a jitted function that looks at a few random batches of validation images.

    Args:
        network: maps images to logits.
        batch_size: images a batch, or all validation images if they are fewer.
        batches: how many batches, each drawn anew from (seed, step).

    Returns:
        ``validate(state, images, member)``, the accuracy over those batches.
    """

    def validate(state: TrainState, images: Images, member: Member) -> Float[Array, ""]:
        key = jax.random.fold_in(jax.random.fold_in(member.key, _VALIDATION), state.step)
        count = member.validation.shape[0]

        def accuracy_of(batch_key: Key[Array, ""]) -> Array:
            drawn = draw_distinct(batch_key, min(batch_size, count), count)
            batch = rows_of(images, member.validation[drawn])
            logits = network.apply(state.params, normalise(batch.pixels, member.normalisation))
            return jnp.mean(_correct(logits, batch.labels), dtype=jnp.float32)

        return jnp.mean(jax.lax.map(accuracy_of, jax.random.split(key, batches)))

    return jax.jit(validate)


def _correct(logits: Float[Array, "N K"], labels: Int32[Array, " N"]) -> Bool[Array, " N"]:
    return jax.lax.argmax(logits, 1, labels.dtype) == labels
