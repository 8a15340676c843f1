"""What outlives a run: models in one file, saved, loaded and used."""

from ffnn_jax.models._arrays import load_arrays, save_arrays
from ffnn_jax.models._model import Model, load, save

__all__ = ["Model", "load", "load_arrays", "save", "save_arrays"]
