"""How many images are classified right: in a batch, and in a few batches of validation images."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

from ffnn_jax.network import Network, normalise
from ffnn_jax.training._images import Chunk, Images
from ffnn_jax.training._sampling import SeedData, validation_indices


def correct(logits: Float[Array, "N K"], labels: Int32[Array, " N"]) -> Bool[Array, " N"]:
    """Whether the largest logit of each image is that of its class."""
    return jax.lax.argmax(logits, 1, labels.dtype) == labels


def make_validation(network: Network, batch_size: int, batches: int) -> jax.stages.Wrapped:
    """Returns a jitted function that looks at a few random batches of validation images.

    Args:
        network: maps images to logits.
        batch_size: images a batch, or all validation images if they are fewer.
        batches: how many batches, each drawn anew from (seed, step).

    Returns:
        ``validate(state, source, seed_data)``, the accuracy over those batches; the source is all
        images, or a ``Chunk`` of those batches.
    """

    def validate(state: Any, source: Images | Chunk, seed_data: SeedData) -> Float[Array, ""]:
        def accuracy_of(batch: Images) -> Array:
            x = normalise(batch.pixels, seed_data.normalisation)
            logits, _ = network.apply(state.params, state.state, x)
            return jnp.mean(correct(logits, batch.labels), dtype=jnp.float32)

        if isinstance(source, Chunk):
            return jnp.mean(jax.lax.map(accuracy_of, source.images))
        indices = validation_indices(seed_data, state.step, batch_size, batches)
        return jnp.mean(jax.lax.map(lambda drawn: accuracy_of(source.at(drawn)), indices))

    return jax.jit(validate)
