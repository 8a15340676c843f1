"""Shared by all preparation steps: examples and the progress callback."""

import dataclasses
from collections.abc import Callable, Sequence

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
