"""What every source gives: the examples of a split, in the order of the original files."""

import dataclasses
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Part:
    """The examples of a split.

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
