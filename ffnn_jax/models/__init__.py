"""What outlives a run: models in one file, saved, loaded and used."""

from ffnn_jax.models._arrays import Stored, load_arrays, save_arrays
from ffnn_jax.models._export import PLATFORMS, exported, save_exported
from ffnn_jax.models._model import Model, load, save
from ffnn_jax.models._pictures import Fitted, fit_picture, picture_files
from ffnn_jax.models._predict import Prediction, is_of_digits, predict_files
from ffnn_jax.models._probabilities import predict_probabilities

__all__ = [
    "PLATFORMS",
    "Fitted",
    "Model",
    "Prediction",
    "Stored",
    "exported",
    "fit_picture",
    "is_of_digits",
    "load",
    "load_arrays",
    "picture_files",
    "predict_files",
    "predict_probabilities",
    "save",
    "save_arrays",
    "save_exported",
]
