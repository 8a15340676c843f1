"""Arrays in memory as the three splits of a run."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ffnn_jax.config import UserError
from ffnn_jax.data._dataset import Dataset
from ffnn_jax.data._load import Splits
from ffnn_jax.data._slices import Slice
from ffnn_jax.data.own import (
    UNDIVIDED,
    checked_images,
    checked_labels,
    remarks,
    source_of_arrays,
    with_splits,
)

Labelled = tuple[ArrayLike, ArrayLike]


def from_arrays(
    images: ArrayLike, labels: ArrayLike, *, test: Labelled | None = None,
    validation: Labelled | None = None, class_names: Sequence[str] = (),
) -> Splits:  # fmt: skip
    """The splits of images and labels in memory; what is not given is drawn as ``load`` draws it.

    Args:
        images: whole numbers 0..255, (N, H, W) or (N, H, W, C).
        labels: (N,), of any integer type or text; without names, they name the classes.
        test: images and labels to test on; 15 % of each class if not given.
        validation: images and labels for validation; drawn, too, if there are no test images.
        class_names: one name per class, for labels 0, 1, ...

    Raises:
        UserError: an array has a wrong shape or dtype, or a label is not a class.
    """
    given = {"train": (images, labels), "validation": validation, "test": test}
    pairs = {
        split if test is not None or validation is not None else UNDIVIDED: _checked(split, pair)
        for split, pair in given.items()
        if pair is not None
    }
    source = with_splits(source_of_arrays(pairs, tuple(map(str, class_names))))
    parts = {split: source.parts[split] for split in given if split in source.parts}
    stops = np.cumsum([len(part.labels) for part in parts.values()]).tolist()
    where = {
        split: Slice(split, stop - len(part.labels), stop)
        for stop, (split, part) in zip(stops, parts.items(), strict=True)
    }
    every = np.concatenate([part.labels for part in parts.values()])
    contents = [hashlib.blake2b(one).digest() for part in parts.values() for one in part.images]
    said = remarks(where, every, source.class_names, contents, None)
    sets = {
        split: Dataset(
            f"arrays/{split}", np.ascontiguousarray(part.images), part.labels, source.class_names,
            remarks=(*source.remarks, *said),
        )
        for split, part in parts.items()
    }  # fmt: skip
    return Splits(sets["train"], sets.get("validation"), sets["test"])


def _checked(split: str, pair: Labelled) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise UserError(f"{split} must be a pair, (images, labels)")
    images, labels = map(np.asarray, pair)
    pixels = checked_images(f"{split} arrays", images)
    return pixels, checked_labels(f"{split} arrays", labels, len(pixels))
