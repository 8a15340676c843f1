"""The three splits of a run."""

from pathlib import Path
from typing import NamedTuple

from ffnn_jax.config import UserError
from ffnn_jax.data._dataset import Dataset
from ffnn_jax.data._load import first_images, load, split_names


class Splits(NamedTuple):
    """Training, validation and test images; validation is None if the set has no such split."""

    train: Dataset
    validation: Dataset | None
    test: Dataset


def load_splits(
    name: str, folder: str | Path | None = None, train_images: int | None = None
) -> Splits:
    """Reads the splits "train", "validation" (if there is one) and "test" of a data set.

    Args:
        name: the data set's name.
        folder: the folder of the prepared sets; ``data_dir()`` if not given.
        train_images: the number of training images to read, the first in the order of the original
            files if the set records it; all of them if not given or if there are fewer.

    Raises:
        UserError: the data set is unknown, not prepared, or has no "train" or "test".
    """
    names = split_names(name, folder)
    for needed in ("train", "test"):
        if needed not in names:
            raise UserError(f"{name} has no split {needed!r} (available: {', '.join(names)})")
    train = first_images(name, "train", train_images, folder)
    validation = load(name, "validation", folder=folder) if "validation" in names else None
    return Splits(train, validation, load(name, "test", folder=folder))
