"""Augmentation on the device: pure functions of a key, drawn independently for each image."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32, Key

from ffnn_jax.config import AlternatingFlip, Augmentation, Crop, Cutout, Flip

Batch = Float[Array, "B H W C"]


def augment(
    key: Key[Array, ""],
    x: Batch,
    augmentations: tuple[Augmentation, ...],
    indices: Int32[Array, " B"],
    epoch: Int32[Any, ""],
    seed_key: Key[Array, ""],
) -> Batch:
    """Applies the augmentations in order to normalised images, whose mean is 0.

    Each draws from the key and its position, so two equal augmentations draw differently. A
    user's own one also gets each image's index among all images, and the completed epochs. What
    an image keeps from epoch to epoch is drawn from the seed's key.
    """
    for position, augmentation in enumerate(augmentations):
        own_key = jax.random.fold_in(key, position)
        match augmentation:
            case Flip():
                x = flip(own_key, x)
            case AlternatingFlip():
                x = alternating_flip(jax.random.fold_in(seed_key, position), x, indices, epoch)
            case Crop():
                x = crop(own_key, x, augmentation.padding)
            case Cutout():
                x = cutout(own_key, x, augmentation.size)
            case _:
                x = augmentation(own_key, x, indices, epoch)
    return x


def flip(key: Key[Array, ""], x: Batch) -> Batch:
    """Flips each image left to right with probability 1/2."""
    flipped = jax.random.randint(key, x.shape[:1], 0, 2, jnp.int32) == 1
    return jnp.where(flipped[:, None, None, None], x[:, :, ::-1, :], x)


def alternating_flip(
    seed_key: Key[Array, ""], x: Batch, indices: Int32[Array, " B"], epoch: Int32[Any, ""]
) -> Batch:
    """Flips each image left to right in every other epoch, from the first on or from the second."""
    keys = jax.vmap(jax.random.fold_in, (None, 0))(seed_key, indices)
    starts = jax.vmap(lambda key: jax.random.randint(key, (), 0, 2, jnp.int32))(keys)
    flipped = (starts + epoch) % 2 == 1
    return jnp.where(flipped[:, None, None, None], x[:, :, ::-1, :], x)


def crop(key: Key[Array, ""], x: Batch, padding: int) -> Batch:
    """Pads the images by reflection and crops each at random to its original size.

    All (2 padding + 1)^2 places are equally likely; padding is less than height and width.
    """
    _, height, width, channels = x.shape
    rows, columns = jax.random.randint(key, (2, len(x)), 0, 2 * padding + 1, jnp.int32)
    sides = (0, 0), (padding, padding), (padding, padding), (0, 0)
    zero, padded = jnp.zeros((), jnp.int32), jnp.pad(x, sides, mode="reflect")

    def crop_one(image: Array, row: Array, column: Array) -> Array:
        return jax.lax.dynamic_slice(image, (row, column, zero), (height, width, channels))

    return jax.vmap(crop_one)(padded, rows, columns)


def cutout(key: Key[Array, ""], x: Batch, size: int) -> Batch:
    """Sets a random square of each image to 0; every pixel is equally likely its centre.

    The square has sides of ``size`` pixels, and is clipped at the border.
    """
    count, height, width, _ = x.shape
    row_key, column_key = jax.random.split(key)
    rows = _interval(jax.random.randint(row_key, (count,), 0, height, jnp.int32), size, height)
    columns = _interval(jax.random.randint(column_key, (count,), 0, width, jnp.int32), size, width)
    hidden = rows[:, :, None] & columns[:, None, :]
    return jnp.where(hidden[:, :, :, None], 0, x)


def _interval(centres: Int32[Array, " B"], size: int, length: int) -> Bool[Array, "B length"]:
    """Which of ``length`` positions lie in the interval of this size around each centre."""
    first = centres[:, None] - size // 2
    positions = jnp.arange(length, dtype=jnp.int32)[None, :]
    return (first <= positions) & (positions < first + size)
