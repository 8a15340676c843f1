"""The image shape of a data set, prepared or not."""

from pathlib import Path

from ffnn_jax.data._decode import Reader, features_of, quiet
from ffnn_jax.data._folders import data_dir, find_prepared, local_folder
from ffnn_jax.data._load import not_prepared


def image_shape(name: str, folder: str | Path | None = None) -> tuple[int, int, int]:
    """(height, width, channels) of a data set's images; no image is read.

    The shape comes from the set prepared in the folder, by default ``data_dir()``, or from the
    set's builder in tensorflow-datasets.

    Raises:
        UserError: the data set is unknown, or does not have one fixed-size image and one label.
    """
    folder = local_folder(folder) if folder else data_dir()
    prepared = find_prepared(name, folder)
    if prepared is not None:
        return Reader(prepared).features.image_shape
    with quiet():
        import tensorflow_datasets as tfds

        import ffnn_jax.data.preparation._mnist_5k  # noqa: F401  registers mnist_5k

        try:
            info = tfds.builder(name, data_dir=folder).info
        except Exception:  # whatever the builder raises, the shape is unknown without the files
            raise not_prepared(name, folder) from None
    return features_of(name, info).image_shape
