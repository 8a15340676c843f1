"""Which images a seed trains on, and which it validates on."""

from typing import Any, NamedTuple

import numpy as np

from ffnn_jax.config import Refusal

Rows = np.ndarray[Any, np.dtype[np.int32]]


class Split(NamedTuple):
    """Rows of the training images and of the validation images."""

    train: Rows
    validation: Rows


def hold_out(seed: int, count: int, held_out: int) -> Split:
    """Shuffles ``count`` rows by the seed and holds the last ``held_out`` out for validation.

    Args:
        seed: decides the order.
        count: images there are.
        held_out: images for validation.

    Raises:
        Refusal: nothing would be left to train on.
    """
    if held_out >= count:
        raise Refusal(f"held-out must be below the {count} training images, got {held_out}")
    order = np.random.default_rng(seed).permutation(count).astype(np.int32)
    return Split(order[: count - held_out], order[count - held_out :])
