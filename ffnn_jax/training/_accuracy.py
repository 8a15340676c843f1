"""Classification accuracy: of a batch, and over a few batches of validation images."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

from ffnn_jax.layers.fast import Table, compiler_options, forms
from ffnn_jax.network import Network, normalise
from ffnn_jax.training._images import Chunk, Images, Source
from ffnn_jax.training._sampling import SeedData, validation_indices


def correct(logits: Float[Array, "N K"], labels: Int32[Array, " N"]) -> Bool[Array, " N"]:
    """Whether each image's largest logit is that of its class."""
    return jax.lax.argmax(logits, 1, labels.dtype) == labels


def make_validation(
    network: Network, batch_size: int, batches: int, table: Table = ()
) -> jax.stages.Wrapped:
    """Returns a jitted function that measures accuracy on a few validation batches.

    ``validate(state, source, seed_data)`` draws them from (seed, step), each of all validation
    images if there are fewer; the source is all images, or a ``Chunk`` of those batches.
    """

    def validate(state: Any, source: Source, seed_data: SeedData) -> Float[Array, ""]:
        def accuracy_of(batch: Images) -> Array:
            x = normalise(batch.pixels, seed_data.normalisation)
            with forms(table):
                logits, _ = network.apply(state.params, state.state, x)
            return jnp.mean(correct(logits, batch.labels), dtype=jnp.float32)

        if isinstance(source, Chunk):
            return jnp.mean(jax.lax.map(accuracy_of, source.images))
        indices = validation_indices(seed_data, state.step, batch_size, batches)
        return jnp.mean(jax.lax.map(lambda batch: accuracy_of(source.at(batch)), indices))

    return jax.jit(validate, compiler_options=compiler_options(table))
