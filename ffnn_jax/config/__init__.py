"""What can be said without jax: layers, augmentations, settings, and presets."""

from ffnn_jax.config._augmentations import AUGMENTATIONS, Augmentation, Crop, Cutout, Flip
from ffnn_jax.config._descriptions import (
    Conv,
    Dense,
    Layer,
    LeakyReLU,
    MaxPool,
    ReLU,
    Sigmoid,
    shapes_through,
)
from ffnn_jax.config._extras import require_grain
from ffnn_jax.config._json import (
    augmentations_from_json,
    augmentations_to_json,
    layers_from_json,
    layers_to_json,
)
from ffnn_jax.config._presets import PRESETS, preset
from ffnn_jax.config._refusal import Diverged, Interrupted, Refusal, suggestion
from ffnn_jax.config._settings import NORMALISATIONS, Settings

__all__ = [
    "AUGMENTATIONS",
    "NORMALISATIONS",
    "PRESETS",
    "Augmentation",
    "Conv",
    "Crop",
    "Cutout",
    "Dense",
    "Diverged",
    "Flip",
    "Interrupted",
    "Layer",
    "LeakyReLU",
    "MaxPool",
    "ReLU",
    "Refusal",
    "Settings",
    "Sigmoid",
    "augmentations_from_json",
    "augmentations_to_json",
    "layers_from_json",
    "layers_to_json",
    "preset",
    "require_grain",
    "shapes_through",
    "suggestion",
]
