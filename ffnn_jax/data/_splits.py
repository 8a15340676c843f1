"""The three splits that a run needs."""

from pathlib import Path
from typing import NamedTuple

from ffnn_jax.config import Refusal
from ffnn_jax.data._dataset import Dataset
from ffnn_jax.data._load import load, split_names


class Splits(NamedTuple):
    """Training, validation and test images; no validation where the set has no such split."""

    train: Dataset
    validation: Dataset | None
    test: Dataset


def load_splits(name: str, folder: Path | None = None) -> Splits:
    """Reads the splits "train", "validation" (if there is one) and "test" of a data set.

    Raises:
        Refusal: the data set is unknown, not prepared, or has no "train" or "test".
    """
    names = split_names(name, folder)
    for needed in ("train", "test"):
        if needed not in names:
            raise Refusal(f"{name} has no split {needed!r} (it has: {', '.join(names)})")
    validation = load(name, "validation", folder=folder) if "validation" in names else None
    return Splits(load(name, "train", folder=folder), validation, load(name, "test", folder=folder))
