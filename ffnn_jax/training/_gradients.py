"""The loss of a batch and its gradients: at once, or on a CPU in micro-batches that fit its cache.

The loss is a mean over the N images, as in (23). Split the batch into P micro-batches of equal
size with losses L_1 ... L_P; then

    L = 1/P sum_p L_p                                                           (accumulate.1)
    dL/dw = 1/P sum_p dL_p/dw                                                   (accumulate.2)

so they can be processed one after another, keeping only their sums. The activations of each are
then still in the cache when its backward pass reads them. (accumulate.1) requires that the loss of
an image does not depend on the others, and state is updated once per step: a batch that the network
mixes, or that changes its state, is processed at once. A batch that several devices share is cut
within each one's shard, and what the shards found is added up once.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer, Key, Num

from ffnn_jax import layers
from ffnn_jax.layers._arguments import upcast
from ffnn_jax.layers._shards import cut, on_each_shard, shards
from ffnn_jax.layers.fast import largest_micro_batch
from ffnn_jax.network import Network, Params, State, combine

Batch = tuple[Num[Array, "N ..."], Integer[Array, " N"], Key[Array, " N"] | None]
"""Inputs, labels, and one key per image if layers are random."""
Loss = Callable[
    [Params, Params, State, Batch], tuple[Float[Array, ""], tuple[Float[Array, "N K"], State]]
]
"""Maps (trained parameters, frozen ones, state, batch) to the mean loss, logits and state."""


def make_loss(network: Network, precision: str, smoothing: float = 0.0) -> Loss:
    """Returns the training loss of a batch: layers in this precision, the loss in float32."""

    def loss_of(
        trained: Params, frozen: Params, state: State, batch: Batch
    ) -> tuple[Array, tuple[Array, State]]:
        x, labels, keys = batch
        params, x = combine(trained, frozen), cast_inputs(x, precision)
        logits, after = network.apply(params, state, x, training=True, key=keys)
        logits = upcast(logits)
        loss = layers.softmax_cross_entropy(logits, labels, smoothing)
        return loss, (logits, jax.lax.stop_gradient(after))

    return loss_of


def cast_inputs(x: Num[Array, "N ..."], precision: str) -> Num[Array, "N ..."]:
    """Casts inputs to the dtype that the layers compute in; tokens are left unchanged."""
    narrow = precision == "bf16" and jnp.issubdtype(x.dtype, jnp.floating)
    return x.astype(jnp.bfloat16) if narrow else x


def loss_and_gradients(
    loss_of: Loss,
    trained: Params,
    frozen: Params,
    state: State,
    batch: Batch,
    allows_micro_batches: bool = True,
) -> tuple[Float[Array, ""], Float[Array, "N K"], State, Params]:
    """Returns the loss, the logits, the state after the batch, and the trained ones' gradients.

    ``allows_micro_batches`` tells whether the network gives the same result in micro-batches.
    """
    images = len(batch[1]) // shards()
    size = _micro_batch_size(images) if allows_micro_batches else images
    if size == images:
        return _at_once(loss_of, trained, frozen, state, batch)
    return jax.lax.platform_dependent(
        trained, frozen, state, batch, cpu=lambda *args: _accumulated(loss_of, size, *args),
        default=lambda *args: _at_once(loss_of, *args),
    )  # fmt: skip


def _micro_batch_size(images: int) -> int:
    """The batch, or its largest divisor that is at most the largest micro-batch, at least half."""
    most = largest_micro_batch()
    sizes = range(min(images, most), most // 2 - 1, -1)
    return next((size for size in sizes if images % size == 0), images)


def _at_once(
    loss_of: Loss, trained: Params, frozen: Params, state: State, batch: Batch
) -> tuple[Array, Array, State, Params]:
    value_and_grad = jax.value_and_grad(loss_of, has_aux=True)
    (loss, (logits, after)), grads = value_and_grad(trained, frozen, state, batch)
    return loss, logits, after, grads


def _accumulated(
    loss_of: Loss, size: int, trained: Params, frozen: Params, state: State, batch: Batch
) -> tuple[Array, Array, State, Params]:
    """A scan over each shard's micro-batches, with the sums of (accumulate.1), (accumulate.2)."""

    def add(sums: Any, micro_batch: Batch) -> tuple[Any, Array]:
        loss, logits, _, grads = _at_once(loss_of, trained, frozen, state, micro_batch)
        return jax.tree.map(jnp.add, sums, (loss, grads)), logits

    def of_shard(*shard: Any) -> tuple[Any, Array]:
        micro_batches: Any = jax.tree.map(lambda a: cut(a, size), shard)
        first = jax.tree.map(lambda a: a[0], micro_batches)
        shapes = jax.eval_shape(lambda: _at_once(loss_of, trained, frozen, state, first))
        zeros = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), (shapes[0], shapes[3]))
        return jax.lax.scan(add, zeros, micro_batches)

    sums, logits = on_each_shard(of_shard, *batch)
    count = logits.shape[0] * logits.shape[1]
    loss, grads = jax.tree.map(lambda a: a.sum(0) / count, sums)  # (accumulate.1), (accumulate.2)
    return loss, logits.reshape(-1, logits.shape[-1]), state, grads
