"""Configuration that needs no jax: settings, augmentations and presets."""

from ffnn_jax._errors import (
    DivergedError,
    FailedSeedsError,
    PeerLostError,
    RunInterruptedError,
    UserError,
    suggestion,
)
from ffnn_jax.config._augmentations import (
    AUGMENTATIONS,
    AlternatingFlip,
    Augmentation,
    Crop,
    Cutout,
    Flip,
    parse_augment,
)
from ffnn_jax.config._extras import (
    require_grain,
    require_onnx,
    require_proof,
    require_run,
    require_sweep,
)
from ffnn_jax.config._json import (
    augmentations_from_json,
    augmentations_to_json,
    layers_from_json,
    layers_to_json,
)
from ffnn_jax.config._layer_text import layers_from_text, layers_to_text
from ffnn_jax.config._own_layers import layers_from, use_layers
from ffnn_jax.config._presets import PRESETS, preset
from ffnn_jax.config._settings import NORMALISATIONS, Settings
from ffnn_jax.config._settings_file import NamedSettings, named_settings
from ffnn_jax.config._settings_text import settings_to_text
from ffnn_jax.config._sweep_file import SweepRows, sweep_rows
from ffnn_jax.config._validation import Validation

__all__ = [
    "AUGMENTATIONS", "NORMALISATIONS", "PRESETS", "AlternatingFlip", "Augmentation", "Crop",
    "Cutout", "DivergedError", "FailedSeedsError", "Flip", "NamedSettings", "PeerLostError",
    "RunInterruptedError", "Settings", "SweepRows", "UserError", "Validation",
    "augmentations_from_json", "augmentations_to_json", "layers_from", "layers_from_json",
    "layers_from_text", "layers_to_json", "layers_to_text", "named_settings", "parse_augment",
    "preset", "require_grain", "require_onnx", "require_proof", "require_run", "require_sweep",
    "settings_to_text", "suggestion", "sweep_rows", "use_layers",
]  # fmt: skip
