"""Inputs: uint8 images that live on the device, gathered and normalised where they are used."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float, Float32, Int32, UInt8


class Images(NamedTuple):
    """Labelled images: pixels uint8 (N, H, W, C), labels int32 (N,)."""

    pixels: UInt8[Any, "N H W C"]
    labels: Int32[Any, " N"]


class Normalisation(NamedTuple):
    """How pixels become inputs: scale them, subtract each channel's mean."""

    scale: Float32[Any, ""]
    mean: Float32[Any, " C"]


def normalisation_of(pixels: UInt8[np.ndarray, "N H W C"], scale: float) -> Normalisation:
    """The normalisation that gives these (training) images mean 0 in each channel.

    Args:
        pixels: the images.
        scale: what pixels 0..255 are multiplied by first.
    """
    totals = pixels.sum(axis=(0, 1, 2), dtype=np.int64)
    mean = scale * totals / (pixels.size // pixels.shape[3])
    return Normalisation(np.float32(scale), mean.astype(np.float32))


def normalise(
    pixels: UInt8[Any, "N H W C"], normalisation: Normalisation
) -> Float[Array, "N H W C"]:
    """Returns pixels as float32 inputs: scale * pixels - mean."""
    scale, mean = normalisation
    return scale * pixels.astype(scale.dtype) - mean[None, None, None, :]


def rows_of(images: Images, rows: Int32[Any, " B"]) -> Images:
    """Returns the images at these rows."""
    return Images(images.pixels[rows], images.labels[rows])
