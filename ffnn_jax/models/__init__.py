"""What outlives a run: models in one file, saved, loaded and used."""

from ffnn_jax.models._arrays import load_arrays, save_arrays
from ffnn_jax.models._export import PLATFORMS, exported, save_exported
from ffnn_jax.models._model import Model, load, save
from ffnn_jax.models._pictures import Fitted, fit_picture, picture_files
from ffnn_jax.models._predict import Prediction, is_of_digits, predict_files

__all__ = [
    "PLATFORMS",
    "Fitted",
    "Model",
    "Prediction",
    "exported",
    "fit_picture",
    "is_of_digits",
    "load",
    "load_arrays",
    "picture_files",
    "predict_files",
    "save",
    "save_arrays",
    "save_exported",
]
