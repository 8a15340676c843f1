"""The shape of a data set's images, whether the set is prepared or not."""

from pathlib import Path

from ffnn_jax.data._decode import Reader, features_of, quiet
from ffnn_jax.data._folders import data_dir, find_prepared, local_folder
from ffnn_jax.data._load import not_prepared


def image_shape(name: str, folder: str | Path | None = None) -> tuple[int, int, int]:
    """(height, width, channels) of a data set's images; none of them is read.

    A prepared set says it itself, any other by its builder in tensorflow-datasets.

    Args:
        name: the data set's name, as in "mnist" or "emnist/balanced".
        folder: where prepared sets are; ``data_dir()`` if not given.

    Raises:
        UserError: the data set is unknown, or does not have one image of one size and one label.
    """
    folder = local_folder(folder) if folder else data_dir()
    prepared = find_prepared(name, folder)
    if prepared is not None:
        return Reader(prepared).features.image_shape
    with quiet():
        import tensorflow_datasets as tfds

        import ffnn_jax.data.preparation._mnist_5k  # noqa: F401  makes mnist_5k known there

        try:
            info = tfds.builder(name, data_dir=folder).info
        except Exception:  # whatever a builder fails with, its set is not known without its files
            raise not_prepared(name, folder) from None
    return features_of(name, info).image_shape
