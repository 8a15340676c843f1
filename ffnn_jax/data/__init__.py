"""Labelled images from tensorflow-datasets, read without TensorFlow, and from one's own files."""

from ffnn_jax.data._arrays import from_arrays
from ffnn_jax.data._cache import is_cached
from ffnn_jax.data._dataset import Dataset, OnProgress
from ffnn_jax.data._decode import require_intact
from ffnn_jax.data._folders import (
    PreparedSet,
    data_dir,
    find_prepared,
    local_folder,
    prepared_names,
    sample_digit,
)
from ffnn_jax.data._load import (
    NotPreparedError,
    Splits,
    full_name,
    image_shape,
    is_own,
    load,
    load_splits,
    split_names,
    survey,
)
from ffnn_jax.data.own import SizesDifferError

__all__ = [
    "Dataset", "NotPreparedError", "OnProgress", "PreparedSet", "SizesDifferError", "Splits",
    "data_dir", "find_prepared", "from_arrays", "full_name", "image_shape", "is_cached", "is_own",
    "load", "load_splits", "local_folder", "prepared_names", "require_intact", "sample_digit",
    "split_names", "survey",
]  # fmt: skip
