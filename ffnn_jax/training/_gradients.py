"""The loss of a batch and its gradients: at once, or on a CPU in parts that stay in its cache.

The loss is a mean over the N images, as (23) has it. Cut the batch into P parts of equal size with
losses L_1 ... L_P; then

    L = 1/P sum_p L_p                                                           (parts.1)
    dL/dw = 1/P sum_p dL_p/dw                                                   (parts.2)

so parts may be gone through one after another, and only their sum is kept. What the layers of one
part write is then still in the cache when its backward reads it.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer

from ffnn_jax.network import Params

_LARGEST_PART, _SMALLEST_PART = 16, 8

Loss = Callable[
    [Params, Float[Array, "N H W C"], Integer[Array, " N"]],
    tuple[Float[Array, ""], Float[Array, "N K"]],
]
"""(params, images, labels) to the mean loss and the logits."""


def loss_and_gradients(
    loss_of: Loss, params: Params, x: Float[Array, "N H W C"], labels: Integer[Array, " N"]
) -> tuple[Float[Array, ""], Float[Array, "N K"], Params]:
    """Returns the loss, the logits and the gradients of a batch.

    Args:
        loss_of: gives the mean of the images' losses, and their logits.
        params: the parameters.
        x: images.
        labels: their classes.
    """
    size = _part_size(len(labels))
    if size == len(labels):
        return _at_once(loss_of, params, x, labels)
    return jax.lax.platform_dependent(
        params,
        x,
        labels,
        cpu=lambda *batch: _in_parts(loss_of, size, *batch),
        default=lambda *batch: _at_once(loss_of, *batch),
    )


def _part_size(images: int) -> int:
    """At most 16 images: the batch, or the largest from 8 to 16 that divides it, or else all."""
    if images <= _LARGEST_PART:
        return images
    sizes = range(_LARGEST_PART, _SMALLEST_PART - 1, -1)
    return next((size for size in sizes if images % size == 0), images)


def _at_once(loss_of: Loss, params: Params, x: Array, labels: Array) -> tuple[Array, Array, Params]:
    (loss, logits), grads = jax.value_and_grad(loss_of, has_aux=True)(params, x, labels)
    return loss, logits, grads


def _in_parts(
    loss_of: Loss, size: int, params: Params, x: Array, labels: Array
) -> tuple[Array, Array, Params]:
    """One part after another in a scan that carries the sums of (parts.1) and (parts.2)."""
    parts = (x.reshape(-1, size, *x.shape[1:]), labels.reshape(-1, size))

    def add(
        sums: tuple[Array, Params], part: tuple[Array, Array]
    ) -> tuple[tuple[Array, Params], Array]:
        loss, logits, grads = _at_once(loss_of, params, *part)
        return jax.tree.map(jnp.add, sums, (loss, grads)), logits

    shapes = jax.eval_shape(lambda: _at_once(loss_of, params, parts[0][0], parts[1][0]))
    zeros = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), (shapes[0], shapes[2]))
    sums, logits = jax.lax.scan(add, zeros, parts)
    loss, grads = jax.tree.map(lambda total: total / len(parts[1]), sums)  # (parts.1), (parts.2)
    return loss, logits.reshape(len(labels), -1), grads
