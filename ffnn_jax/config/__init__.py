"""What can be said without jax: layer descriptions, settings, and presets."""

from ffnn_jax.config._descriptions import Conv, Dense, Layer, MaxPool, ReLU, shapes_through
from ffnn_jax.config._json import layers_from_json, layers_to_json
from ffnn_jax.config._presets import PRESETS, preset
from ffnn_jax.config._refusal import Diverged, Refusal, suggestion
from ffnn_jax.config._settings import Settings

__all__ = [
    "PRESETS",
    "Conv",
    "Dense",
    "Diverged",
    "Layer",
    "MaxPool",
    "ReLU",
    "Refusal",
    "Settings",
    "layers_from_json",
    "layers_to_json",
    "preset",
    "shapes_through",
    "suggestion",
]
