"""Tests a run's model on labelled images."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ffnn_jax._console import show_progress
from ffnn_jax._device import chosen_devices, on_devices
from ffnn_jax.cli._output import console_beside, write_json
from ffnn_jax.config import UserError
from ffnn_jax.data import Dataset, is_own, load
from ffnn_jax.models import Model
from ffnn_jax.models import load as load_model
from ffnn_jax.reporting import accuracy, confusion_matrix, precision_recall_table
from ffnn_jax.runs import changed_images, enable_compilation_cache, read_dataset


class Wanted(NamedTuple):
    """The images to test on; a data set of None is the run's."""

    dataset: str | None
    split: str
    skip_damaged: bool


def evaluate_and_print(
    file: Path, wanted: Wanted, index: int | None, devices: int | str, json_file: str | None
) -> int:
    """Prints the accuracy and the precision and recall of each class."""
    enable_compilation_cache()
    used = chosen_devices(devices)
    model, console = load_model(file, index), console_beside(json_file)
    images = _images(file, wanted, model)
    said = changed_images(file.parent, images.name, images.sha256)
    if said and wanted.dataset is None:
        print(said, file=sys.stderr)
    shape, classes = model.network.input_shape, model.class_names
    if images.image_shape != shape:
        raise UserError(f"{images.name} has images {images.image_shape}, the model needs {shape}")
    if images.class_names != classes:
        ours, theirs = map(_named, (classes, images.class_names))
        raise UserError(f"{images.name} has classes {theirs}; the model has {ours}")
    with on_devices(used):
        predicted = model.predict(images.images)
    confusion = confusion_matrix(images.labels, predicted, len(images.class_names))
    correct = accuracy(confusion)
    console.print(f"{images.name}: {len(images):,} images, accuracy {correct:.4f}")
    console.print(precision_recall_table(confusion, images.class_names), end="")
    result = {
        "dataset": images.name, "sha256": images.sha256, "images": len(images),
        "accuracy": correct, "confusion": confusion.tolist(), "class_names": images.class_names,
    }  # fmt: skip
    write_json(json_file, result)
    return 0


def _named(names: Sequence[str]) -> str:
    """The first three."""
    return ", ".join([*names[:3], *["..."] * (len(names) > 3)])


def _images(file: Path, wanted: Wanted, model: Model) -> Dataset:
    """Images of the data set wanted, one's own pictures in the model's size; or of the run's."""
    name, split, skip_damaged = wanted
    if name is not None:
        height, width = model.network.input_shape[:2]
        size = height if is_own(name) and height == width else None
    else:
        config = read_dataset(file.parent)
        name, size = str(config["dataset"]), config.get("size")
        skip_damaged = skip_damaged or config.get("skip_damaged") is True
    with show_progress() as tell:
        return load(name, split, size=size, skip_damaged=skip_damaged, on_progress=tell)
