"""Prepares data sets for tensorflow-datasets from official files, without TensorFlow."""

from ffnn_jax.data._dataset import OnProgress
from ffnn_jax.data.preparation._prepare import prepare, verify_prepared
from ffnn_jax.data.preparation._sources import RECIPES, Source, recorded_of, require_recorded

__all__ = [
    "RECIPES", "OnProgress", "Source", "prepare", "recorded_of", "require_recorded",
    "verify_prepared",
]  # fmt: skip
