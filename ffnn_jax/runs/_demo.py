"""The demo page of a run: its model, and images that the network was not trained on."""

import base64
import dataclasses
import logging
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import ArrayLike

from ffnn_jax import nn
from ffnn_jax._schema import read_saved
from ffnn_jax.config import Settings, UserError, layers_to_json
from ffnn_jax.layers import weight_standardisation
from ffnn_jax.models import Model, load, load_arrays
from ffnn_jax.runs._compute import split, splits_of
from ffnn_jax.runs._folder import writing

# those of reporting/templates/demo_layers.js
_LAYERS = ("BatchNorm", "Conv", "Dense", "Dropout", "GELU", "MaxPool", "ReLU", "Scale")
_MOST_SAMPLES = 10
_log = logging.getLogger(__name__)


def write_demo(path: Path, file: Path, index: int | None = None) -> Path:
    """Writes the demo page of a model, of this index or the best in the file; returns its path.

    Where the data set of the run is not at hand, the page has no images to begin with; that is
    logged.

    Raises:
        UserError: the file is not a model's, or the page cannot run its network.
    """
    from ffnn_jax.reporting import demo_page

    model = load(file, index)
    described = _described(file, model)
    try:
        described["samples"] = _samples(file, model, index)
    except (UserError, TypeError, ValueError) as error:
        _log.warning("the demo page has no images to begin with: %s", error)
    page = demo_page(file.resolve().parent.name, described)
    with writing(path):
        path.write_bytes(page.encode(errors="replace"))
    return path


def _described(file: Path, model: Model) -> dict[str, Any]:
    """The model as JSON: float32 arrays and uint8 images are the base64 of their bytes."""
    shape, views = model.network.input_shape, model.views
    if len(shape) != 3 or shape[2] not in (1, 3) or model.normalisation is None:
        raise UserError(f"{file}: a demo page needs grey or colour images, the inputs are {shape}")
    if views != "one":
        raise UserError(f"{file}: a demo page has one view of an image, the model averages {views}")
    return {
        "shape": shape, "classes": model.class_names, "form": dataclasses.asdict(model.form),
        "scale": model.normalisation.scale.tolist(), "mean": model.normalisation.mean.tolist(),
        "parameters": sum(array.size for array in jax.tree.leaves(model.params)), "samples": [],
        "layers": _layers(file, model),
    }  # fmt: skip


def _layers(file: Path, model: Model) -> list[dict[str, Any]]:
    """Each layer's settings, shapes and arrays."""
    layers, known, described = model.network.layers, ", ".join(_LAYERS), []
    shapes = nn.shapes_through(layers, model.network.input_shape)
    for number, name, layer in nn.numbered(layers):
        if type(layer).__name__ not in _LAYERS:
            raise UserError(f"{file}: layer {number}, {layer}, is not among a demo page's: {known}")
        arrays = {**model.params.get(name, {}), **model.state.get(name, {})}
        if getattr(layer, "standardised", False):
            arrays["w"] = weight_standardisation(arrays["w"])
        described.append({
            **layers_to_json([layer])[0], "title": layer.title or type(layer).__name__,
            "input": shapes[number - 1], "output": shapes[number],
            "arrays": {key: _base64(array, "<f4") for key, array in arrays.items()},
        })  # fmt: skip
    return described


def _samples(file: Path, model: Model, index: int | None) -> list[tuple[str, str]]:
    """Each class with a validation image of it, or a test image where none are held out."""
    settings = Settings.from_json(read_saved(file.parent / "config.json"))
    splits = splits_of(settings)
    part, chosen = splits.validation or splits.test, slice(None)
    if splits.validation is None and settings.validation.images:
        seed = settings.seed + (load_arrays(file).about["best"] if index is None else index)
        part, chosen = splits.train, split(settings, splits, seed).validation
    if (part.image_shape, part.class_names) != (model.network.input_shape, model.class_names):
        raise UserError(f"{part.name} has other images or classes than the model")
    images, labels = part.images[chosen], part.labels[chosen]
    first = np.unique(labels, return_index=True)[1][:_MOST_SAMPLES]
    return [(part.class_names[labels[at]], _base64(images[at], "u1")) for at in first]


def _base64(array: ArrayLike, dtype: str) -> str:
    return base64.b64encode(np.ascontiguousarray(array, dtype).tobytes()).decode()
