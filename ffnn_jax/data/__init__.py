"""Labelled images, through tensorflow-datasets and without TensorFlow."""

from ffnn_jax.data._dataset import Dataset
from ffnn_jax.data._load import data_dir, load, split_names
from ffnn_jax.data._splits import Splits, load_splits

__all__ = ["Dataset", "Splits", "data_dir", "load", "load_splits", "split_names"]
