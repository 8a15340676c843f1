"""A person's own files as a data set: pictures in folders, NumPy, CSV and IDX files."""

from ffnn_jax.data.own._draw import with_splits
from ffnn_jax.data.own._paths import is_path, own_path
from ffnn_jax.data.own._remarks import remarks
from ffnn_jax.data.own._source import (
    UNDIVIDED,
    SizesDifferError,
    checked_images,
    checked_labels,
    source_of_arrays,
)

__all__ = [
    "UNDIVIDED", "SizesDifferError", "checked_images", "checked_labels", "is_path", "own_path",
    "remarks", "source_of_arrays", "with_splits",
]  # fmt: skip
