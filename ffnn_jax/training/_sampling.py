"""Which images a seed trains on, and which of them each step uses: functions of (seed, step)."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int32, Key

from ffnn_jax.config import UserError, Validation
from ffnn_jax.network import Normalisation
from ffnn_jax.training._draws import permute, sample_without_replacement

INITIALISATION, BATCHES, VALIDATION, AUGMENTATION, LAYERS, EPOCHS, FLIPS = range(7)

Indices = np.ndarray[Any, np.dtype[np.int32]]


class Split(NamedTuple):
    """Indices of the training images and of the validation images."""

    train: Indices
    validation: Indices


class SeedData(NamedTuple):
    """The data of one seed: key, training and validation images, and normalisation.

    Images are given by their indices; the normalisation is None where inputs are not images.
    """

    key: Key[Array, ""]
    train: Int32[Any, " M"]
    validation: Int32[Any, " V"]
    normalisation: Normalisation | None


def split_validation(seed: int, count: int, validation: Validation) -> Split:
    """Splits ``count`` images into training and validation images.

    The validation images are the last ones, with or without a permutation by the seed, in which
    the training images stay.

    Raises:
        UserError: nothing would be left to train on.
    """
    if validation.images >= count:
        images = validation.images
        raise UserError(f"validation must be below the {count} training images, got {images}")
    order = np.arange(count, dtype=np.int32)
    if validation.chosen == "drawn":
        order = np.random.default_rng(seed).permutation(count).astype(np.int32)
    return Split(order[: count - validation.images], order[count - validation.images :])


class Sampling(NamedTuple):
    """How batches of ``size`` images are drawn, with ``Settings.sampling`` as the kind."""

    size: int
    kind: str = "independent"

    def steps_per_epoch(self, count: int) -> int:
        """The number of batches in one pass over ``count`` images."""
        partial = self.kind == "epochs-partial"
        return max(-(-count // self.size) if partial else count // self.size, 1)

    def epoch(self, step: Int32[Any, ""], count: int) -> Int32[Any, ""]:
        """The number of completed passes over ``count`` images before this step."""
        return step // self.steps_per_epoch(count)

    def partial_size(self, count: int) -> int:
        """The size of an epoch's last batch if it is smaller than the others, otherwise 0."""
        return count % self.size if self.kind == "epochs-partial" else 0

    def is_last(self, step: Int32[Any, ""], count: int) -> Any:
        """Whether the step's batch is the last of an epoch."""
        return (step + 1) % self.steps_per_epoch(count) == 0


def key_of(seed_data: SeedData, purpose: int, step: Int32[Any, ""]) -> Key[Array, ""]:
    """The key for one purpose at one step."""
    return jax.random.fold_in(jax.random.fold_in(seed_data.key, purpose), step)


def batch_indices(
    seed_data: SeedData, step: Int32[Any, ""], sampling: Sampling
) -> Int32[Array, " size"]:
    """The indices of a step's batch, all distinct; a partial batch repeats its last image."""
    count, size = seed_data.train.shape[0], sampling.size
    if size > count:
        raise ValueError(f"batch_indices: batch size must be at most {count}, got {size}")
    if sampling.kind == "independent":
        key = key_of(seed_data, BATCHES, step)
        return seed_data.train[sample_without_replacement(key, size, count)]
    epoch, number = sampling.epoch(step, count), step % sampling.steps_per_epoch(count)
    positions = jnp.minimum(number * size + jnp.arange(size, dtype=jnp.int32), count - 1)
    return seed_data.train[permute(key_of(seed_data, EPOCHS, epoch), positions, count)]


def validation_indices(
    seed_data: SeedData, step: Int32[Any, ""], size: int, batches: int
) -> Int32[Array, "batches size"]:
    """The indices of a few validation batches, each of all images if fewer than ``size``."""
    count = seed_data.validation.shape[0]

    def draw(key: Key[Array, ""]) -> Int32[Array, " size"]:
        return seed_data.validation[sample_without_replacement(key, min(size, count), count)]

    keys = jax.random.split(key_of(seed_data, VALIDATION, step), batches)
    return jax.lax.map(draw, keys)
