"""What every step of a preparation shares: examples, and a word about how far it is."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

OnProgress = Callable[[str, int, int], None]
"""Is told what is being done, how much of it is done, and how much there is (0: not known)."""


@dataclasses.dataclass(frozen=True)
class Part:
    """The examples of a split, in the order of the original files.

    Attributes:
        images: uint8 (N, H, W, C).
        labels: uint8 (N,) for each label feature.
        class_names: for each label feature that has names, in the order of its numbers.
        keys: decide tensorflow-datasets' order; the examples' numbers if not given.
    """

    images: np.ndarray
    labels: dict[str, np.ndarray]
    class_names: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    keys: Sequence[int] | None = None


@contextlib.contextmanager
def no_progress_bars() -> Iterator[Any]:
    """Gives tensorflow-datasets without its progress bars: ours says how far things are."""
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    try:
        yield tfds
    finally:
        tfds.enable_progress_bar()
