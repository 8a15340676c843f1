"""A data set in memory: images, labels and class names."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from ffnn_jax.config import UserError

OnProgress = Callable[[str, int, int], None]
"""Progress callback: receives a message, the amount done, and the total (0: unknown)."""
IN_MEMORY = "arrays in memory"
Uint8Images = np.ndarray[Any, np.dtype[np.uint8]]
Int32Labels = np.ndarray[Any, np.dtype[np.int32]]


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Labelled images: a split of a data set, or a part of one.

    Attributes:
        name: the data set and split, as in "mnist/train".
        images: uint8 (N, H, W, C), 0..255; may be memory-mapped, so do not write to them.
        labels: int32 (N,), each from 0 to the number of classes - 1.
        class_names: one name per class.
        source: where the images were read from, as in "mnist/3.0.1".
        remarks: what is worth knowing of the whole set, as that its classes are unequal.

    Raises:
        UserError: the arrays have a wrong shape or dtype, or hold no images, or a label is not a
            class; the message names the index of the first such label.
    """

    name: str
    images: Uint8Images = dataclasses.field(repr=False)
    labels: Int32Labels = dataclasses.field(repr=False)
    class_names: tuple[str, ...]
    source: str = IN_MEMORY
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Rejects mistakes that training would not notice."""
        if self.images.dtype != np.uint8 or self.images.ndim != 4:
            actual = f"{self.images.dtype} {self.images.shape}"
            raise UserError(f"{self.name}: images must be uint8 (N, H, W, C), got {actual}")
        if self.labels.dtype != np.int32 or self.labels.shape != self.images.shape[:1]:
            actual = f"{self.labels.dtype} {self.labels.shape}"
            raise UserError(
                f"{self.name}: labels must be int32 {self.images.shape[:1]}, got {actual}"
            )
        if not len(self):
            raise UserError(f"{self.name}: holds no images")
        classes = len(self.class_names)
        wrong = np.flatnonzero((self.labels < 0) | (self.labels >= classes))
        if wrong.size:
            label = f"label {self.labels[wrong[0]]} of image {wrong[0]}"
            raise UserError(f"{self.name}: {label} is not one of 0 to {classes - 1}")

    def __len__(self) -> int:
        """The number of images."""
        return len(self.images)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        height, width, channels = self.images.shape[1:]
        return height, width, channels

    @functools.cached_property
    def sha256(self) -> str:
        """SHA-256 of the pixels (N, H, W, C) followed by the labels as int32."""
        digest = hashlib.sha256(np.ascontiguousarray(self.images).data)
        digest.update(self.labels.astype("<i4").data)
        return digest.hexdigest()
