"""Labelled images, through tensorflow-datasets and without TensorFlow."""

from ffnn_jax.data._dataset import Dataset
from ffnn_jax.data._load import data_dir, load, split_names

__all__ = ["Dataset", "data_dir", "load", "split_names"]
