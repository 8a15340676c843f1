"""The training step, and the compiled scan over many of them.

A step is a pure function of the state: its batch is drawn and augmented from (seed, step), so a
state is all that is needed to go on, and the same state always goes on in the same way.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int32, Key

from ffnn_jax.config import Augmentation
from ffnn_jax.layers import softmax_cross_entropy
from ffnn_jax.network import Network, Params
from ffnn_jax.optim import decay_loss
from ffnn_jax.training._augment import augment
from ffnn_jax.training._gradients import Loss, loss_and_gradients
from ffnn_jax.training._inputs import Block, Images, normalise, rows_of
from ffnn_jax.training._rows import (
    AUGMENTATION,
    INITIALISATION,
    Member,
    batch_rows,
    key_of,
    validation_rows,
)

CHUNK_STEPS = 100


class TrainState(NamedTuple):
    """All that a step changes: parameters, the optimiser's state, and the steps done."""

    params: Params
    momentum: Any
    step: Int32[Array, ""]


class ChunkMetrics(NamedTuple):
    """Loss, accuracy and weight decay's loss of each batch; NaN for steps that were not run."""

    loss: Float[Array, " CHUNK_STEPS"]
    accuracy: Float[Array, " CHUNK_STEPS"]
    decay_loss: Float[Array, " CHUNK_STEPS"]


def initial_state(
    network: Network, optimizer: optax.GradientTransformation, key: Key[Array, ""]
) -> TrainState:
    """The state before the first step, decided by the member's key."""
    params = network.init(jax.random.fold_in(key, INITIALISATION))
    return TrainState(params, optimizer.init(params), jnp.zeros((), jnp.int32))


def make_train_chunk(
    network: Network,
    optimizer: optax.GradientTransformation,
    batch_size: int,
    weight_decay: float = 0.0,
    augmentations: tuple[Augmentation, ...] = (),
    precision: str = "float32",
) -> jax.stages.Wrapped:
    """Returns a jitted function that trains many steps as one compiled scan.

    Args:
        network: maps images to logits.
        optimizer: ours or any of optax's.
        batch_size: images a step.
        weight_decay: for the decay's loss among the metrics; the optimiser does the decaying.
        augmentations: what happens to a batch once it is normalised, drawn from (seed, step).
        precision: of what the layers compute, "float32" or "bf16", as in ``Settings``.

    Returns:
        ``chunk(state, stop, source, member) -> (state, metrics)``: runs steps until
        ``state.step`` is ``stop``, or 100 of them. The source is all images, of which each step
        draws its batch, or a ``Block`` of batches: then no step is run that is beyond it. The
        state is donated: the one passed in is gone. It is compiled once, whatever ``stop`` is.
    """
    loss_of = make_loss(network, precision)
    train_step = _make_train_step(loss_of, optimizer, batch_size, weight_decay, augmentations)

    def chunk(
        state: TrainState, stop: Int32[Any, ""], source: Images | Block, member: Member
    ) -> tuple[TrainState, ChunkMetrics]:
        steps = CHUNK_STEPS
        if isinstance(source, Block):
            steps = len(source.images.labels)
            stop = jnp.minimum(stop, source.first + steps)

        def scanned(state: TrainState, _: None) -> tuple[TrainState, ChunkMetrics]:
            return jax.lax.cond(state.step < stop, train_step, _rest, state, source, member)

        return jax.lax.scan(scanned, state, None, length=steps)

    return jax.jit(chunk, donate_argnums=0)


def make_validate(network: Network, batch_size: int, batches: int) -> jax.stages.Wrapped:
    """Returns a jitted function that looks at a few random batches of validation images.

    Args:
        network: maps images to logits.
        batch_size: images a batch, or all validation images if they are fewer.
        batches: how many batches, each drawn anew from (seed, step).

    Returns:
        ``validate(state, source, member)``, the accuracy over those batches; the source is all
        images, or a ``Block`` of those batches.
    """

    def validate(state: TrainState, source: Images | Block, member: Member) -> Float[Array, ""]:
        def accuracy_of(batch: Images) -> Array:
            logits = network.apply(state.params, normalise(batch.pixels, member.normalisation))
            return jnp.mean(_correct(logits, batch.labels), dtype=jnp.float32)

        if isinstance(source, Block):
            return jnp.mean(jax.lax.map(accuracy_of, source.images))
        rows = validation_rows(member, state.step, batch_size, batches)
        return jnp.mean(jax.lax.map(lambda drawn: accuracy_of(rows_of(source, drawn)), rows))

    return jax.jit(validate)


def make_loss(network: Network, precision: str) -> Loss:
    """The loss of a batch: the layers in this precision, the loss itself in the parameters'."""

    def loss_of(params: Params, x: Array, labels: Array) -> tuple[Array, Array]:
        narrow = jax.tree.map(lambda array: narrowed(array, precision), params)
        logits = network.apply(narrow, narrowed(x, precision)).astype(x.dtype)
        return softmax_cross_entropy(logits, labels), logits

    return loss_of


def narrowed(array: Array, precision: str) -> Array:
    """The array as the layers are given it."""
    return array.astype(jnp.bfloat16) if precision == "bf16" else array


def inputs_at(
    source: Images | Block,
    member: Member,
    step: Int32[Array, ""],
    batch_size: int,
    augmentations: tuple[Augmentation, ...],
) -> tuple[Float[Array, "N H W C"], Int32[Array, " N"]]:
    """The images of a step, normalised and augmented, and their labels."""
    batch = _batch_at(source, member, step, batch_size)
    x = normalise(batch.pixels, member.normalisation)
    if augmentations:
        x = augment(key_of(member, AUGMENTATION, step), x, augmentations)
    return x, batch.labels


def _make_train_step(
    loss_of: Loss,
    optimizer: optax.GradientTransformation,
    batch_size: int,
    weight_decay: float,
    augmentations: tuple[Augmentation, ...],
) -> Callable[[TrainState, Images | Block, Member], tuple[TrainState, ChunkMetrics]]:
    """Returns the function of one step: its batch, forward, backward, update."""

    def train_step(
        state: TrainState, source: Images | Block, member: Member
    ) -> tuple[TrainState, ChunkMetrics]:
        x, labels = inputs_at(source, member, state.step, batch_size, augmentations)
        loss, logits, grads = loss_and_gradients(loss_of, state.params, x, labels)
        updates, momentum = optimizer.update(grads, state.momentum, state.params)
        params: Any = optax.apply_updates(state.params, updates)
        accuracy = jnp.mean(_correct(logits, labels), dtype=loss.dtype)
        decay = decay_loss(state.params, weight_decay)
        return TrainState(params, momentum, state.step + 1), ChunkMetrics(loss, accuracy, decay)

    return train_step


def _rest(
    state: TrainState, source: Images | Block, member: Member
) -> tuple[TrainState, ChunkMetrics]:
    """The step that is not run."""
    nan = jnp.full((), jnp.nan, jax.tree.leaves(state.params)[0].dtype)
    return state, ChunkMetrics(nan, nan, nan)


def _batch_at(
    source: Images | Block, member: Member, step: Int32[Array, ""], batch_size: int
) -> Images:
    if isinstance(source, Block):
        return rows_of(source.images, step - source.first)
    return rows_of(source, batch_rows(member, step, batch_size))


def _correct(logits: Float[Array, "N K"], labels: Int32[Array, " N"]) -> Bool[Array, " N"]:
    return jax.lax.argmax(logits, 1, labels.dtype) == labels
