"""Augmentation on the device: pure functions of a key, drawn for each image on its own."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32, Key

from ffnn_jax.config import Augmentation, Crop, Cutout, Flip

Batch = Float[Array, "B H W C"]


def augment(
    key: Key[Array, ""],
    x: Batch,
    augmentations: tuple[Augmentation, ...],
    indices: Int32[Array, " B"],
    epoch: Int32[Any, ""],
) -> Batch:
    """Returns images changed by one augmentation after another.

    Each draws from the key and its own position, so that two that are equal differ.

    Args:
        key: decides every draw.
        x: images, normalised, so that 0 is the mean.
        augmentations: what is done, in this order.
        indices: of each image among all images.
        epoch: how often the training images were gone through before.
    """
    for position, augmentation in enumerate(augmentations):
        x = _apply(augmentation, jax.random.fold_in(key, position), x, indices, epoch)
    return x


def flip(key: Key[Array, ""], x: Batch) -> Batch:
    """Returns images of which each has left and right exchanged with probability 1/2."""
    flipped = jax.random.randint(key, x.shape[:1], 0, 2, jnp.int32) == 1
    return jnp.where(flipped[:, None, None, None], x[:, :, ::-1, :], x)


def crop(key: Key[Array, ""], x: Batch, padding: int) -> Batch:
    """Returns cuts of the images' own size out of the images padded by their reflection.

    Args:
        key: decides the top left corners, all (2 padding + 1)^2 equally likely.
        x: images.
        padding: pixels on every side, below height and width.
    """
    _, height, width, channels = x.shape
    rows, columns = jax.random.randint(key, (2, len(x)), 0, 2 * padding + 1, jnp.int32)
    sides = (0, 0), (padding, padding), (padding, padding), (0, 0)
    zero, padded = jnp.zeros((), jnp.int32), jnp.pad(x, sides, mode="reflect")

    def cut(image: Array, row: Array, column: Array) -> Array:
        return jax.lax.dynamic_slice(image, (row, column, zero), (height, width, channels))

    return jax.vmap(cut)(padded, rows, columns)


def cutout(key: Key[Array, ""], x: Batch, size: int) -> Batch:
    """Returns images with a square of each set to 0.

    Args:
        key: decides the squares' centres, every pixel of the image equally likely.
        x: images.
        size: the square's side; it is clipped at the border.
    """
    count, height, width, _ = x.shape
    row_key, column_key = jax.random.split(key)
    rows = _stretch(jax.random.randint(row_key, (count,), 0, height, jnp.int32), size, height)
    columns = _stretch(jax.random.randint(column_key, (count,), 0, width, jnp.int32), size, width)
    hidden = rows[:, :, None] & columns[:, None, :]
    return jnp.where(hidden[:, :, :, None], 0, x)


def _stretch(centres: Int32[Array, " B"], size: int, length: int) -> Bool[Array, "B length"]:
    """Which of ``length`` places lie in the stretch of this size around each centre."""
    first = centres[:, None] - size // 2
    places = jnp.arange(length, dtype=jnp.int32)[None, :]
    return (first <= places) & (places < first + size)


def _apply(
    augmentation: Augmentation,
    key: Key[Array, ""],
    x: Batch,
    indices: Int32[Array, " B"],
    epoch: Int32[Any, ""],
) -> Batch:
    match augmentation:
        case Flip():
            return flip(key, x)
        case Crop():
            return crop(key, x, augmentation.padding)
        case Cutout():
            return cutout(key, x, augmentation.size)
    return augmentation(key, x, indices, epoch)
