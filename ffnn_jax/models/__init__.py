"""Trained models: saved to one file, loaded, exported, and used for prediction."""

from ffnn_jax.models._arrays import Stored, load_arrays, save_arrays
from ffnn_jax.models._export import PLATFORMS, export_model, save_exported
from ffnn_jax.models._model import Model, load, save
from ffnn_jax.models._pictures import PreparedPicture, picture_files, prepare_picture
from ffnn_jax.models._predict import Prediction, classifies_digits, predict_files
from ffnn_jax.models._probabilities import predict_probabilities

__all__ = [
    "PLATFORMS", "Model", "Prediction", "PreparedPicture", "Stored", "classifies_digits",
    "export_model", "load", "load_arrays", "picture_files", "predict_files",
    "predict_probabilities", "prepare_picture", "save", "save_arrays", "save_exported",
]  # fmt: skip
