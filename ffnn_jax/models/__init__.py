"""Trained models: saved to one file, loaded, exported, and used for prediction."""

from ffnn_jax._picture_files import picture_files, skipped_line
from ffnn_jax.models._arrays import Stored, load_arrays, save_arrays
from ffnn_jax.models._csv import predictions_csv
from ffnn_jax.models._form import ImageForm, measure_form
from ffnn_jax.models._model import PLATFORMS, Model, export_model, load, save, save_exported
from ffnn_jax.models._pictures import PreparedPicture, prepare_picture, prepare_pictures
from ffnn_jax.models._predict import Prediction, classifies_digits, predict_files
from ffnn_jax.models._probabilities import predict_probabilities
from ffnn_jax.models.onnx import save_onnx

__all__ = [
    "PLATFORMS", "ImageForm", "Model", "Prediction", "PreparedPicture", "Stored",
    "classifies_digits", "export_model", "load", "load_arrays", "measure_form", "picture_files",
    "predict_files", "predict_probabilities", "predictions_csv", "prepare_picture",
    "prepare_pictures", "save", "save_arrays", "save_exported", "save_onnx", "skipped_line",
]  # fmt: skip
