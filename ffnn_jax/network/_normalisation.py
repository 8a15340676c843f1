"""Normalisation: turns pixels 0..255 into network inputs, channel by channel."""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float32, Int64, Num, UInt8

from ffnn_jax.config import NORMALISATIONS

Sums = Int64[np.ndarray, " C"]


class Normalisation(NamedTuple):
    """Scale and mean of each channel: inputs are scale * pixels - mean."""

    scale: Float32[Any, " C"]
    mean: Float32[Any, " C"]


def compute_normalisation(
    blocks: Iterable[UInt8[np.ndarray, "n H W C"]], scale: float, kind: str = "channel-mean"
) -> Normalisation:
    """The normalisation that gives training images mean 0 and, optionally, standard deviation 1.

    Sums are of integers, so they are exact and do not depend on the blocks. A channel whose
    pixels are all equal has deviation 0, and is not divided by it.

    Args:
        blocks: the images, in blocks; one block at a time is in memory.
        scale: factor by which pixels 0..255 are multiplied first.
        kind: "mean", "channel-mean" or "channel-mean-sd", as in ``Settings``.

    Raises:
        ValueError: the kind is unknown, there are no images, or a block does not hold uint8 images.
    """
    if kind not in NORMALISATIONS:
        allowed = ", ".join(NORMALISATIONS)
        raise ValueError(f"compute_normalisation: kind must be one of {allowed}, got {kind!r}")
    count, sums, squares = _totals(blocks)
    mean, scales = scale * sums / count, np.full(len(sums), scale)
    if kind == "mean":
        mean = np.full(len(sums), scale * sums.sum() / (count * len(sums)))
    if kind == "channel-mean-sd":
        pairs = zip(sums.tolist(), squares.tolist(), strict=True)  # so that numerators are exact
        roots = [math.sqrt(count * square - total**2) for total, square in pairs]
        deviation = scale * (np.array(roots) / count)
        deviation[deviation == 0] = 1
        mean, scales = mean / deviation, scales / deviation
    return Normalisation(scales.astype(np.float32), mean.astype(np.float32))


def normalise(
    values: Num[Any, "N ..."], normalisation: Normalisation | None
) -> Num[Array, "N ..."]:
    """Pixels (N, H, W, C) as float32 inputs: scale * pixels - mean; with None, tokens unchanged."""
    if normalisation is None:
        return values
    scale, mean = (array[None, None, None, :] for array in normalisation)
    return scale * values.astype(scale.dtype) - mean


def _totals(blocks: Iterable[UInt8[np.ndarray, "n H W C"]]) -> tuple[int, Sums, Sums]:
    """The number of pixels per channel, and each channel's sums of values and of squares."""
    count, sums, squares = 0, np.zeros(1, np.int64), np.zeros(1, np.int64)
    for block in blocks:
        if block.dtype != np.uint8 or block.ndim != 4:
            form = "uint8 (n, H, W, C)"
            actual = f"{block.dtype} {block.shape}"
            raise ValueError(f"compute_normalisation: blocks must be {form}, got {actual}")
        count += block.size // block.shape[3]
        sums = sums + _channel_sums(block)
        squares = squares + _channel_sums(np.square(block, dtype=np.uint16))
    if not count:
        raise ValueError("compute_normalisation: blocks must hold at least one image, got none")
    return count, sums, squares


def _channel_sums(values: np.ndarray) -> Sums:
    return values.sum(axis=0, dtype=np.int64).sum(axis=(0, 1))
