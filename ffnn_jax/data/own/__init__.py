"""A person's own files as a data set: pictures in folders, NumPy, CSV and IDX files."""

from ffnn_jax.data.own._paths import is_path, own_path
from ffnn_jax.data.own._read import OnProgress, OwnSet, read_own

__all__ = ["OnProgress", "OwnSet", "is_path", "own_path", "read_own"]
