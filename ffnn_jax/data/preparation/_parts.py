"""Shared by all preparation steps: examples and the progress callback."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

OnProgress = Callable[[str, int, int], None]
"""Progress callback: receives a message, the amount done, and the total (0: unknown)."""


@dataclasses.dataclass(frozen=True)
class Part:
    """A split in the order of the original files: images uint8 (N, H, W, C), labels uint8 (N,).

    Each label feature has labels, and maybe class names. The keys determine tensorflow-datasets'
    order; they are 0 to N - 1 if not given.
    """

    images: np.ndarray
    labels: dict[str, np.ndarray]
    class_names: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    keys: Sequence[int] | None = None


@contextlib.contextmanager
def no_progress_bars() -> Iterator[Any]:
    """Yields tensorflow-datasets with its progress bars disabled, in favour of ours."""
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    try:
        yield tfds
    finally:
        tfds.enable_progress_bar()
