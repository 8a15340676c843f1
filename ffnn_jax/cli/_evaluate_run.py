"""Tests a run's model on labelled images."""

import json
from pathlib import Path
from typing import Any

from ffnn_jax.cli._output import console_beside, write_json
from ffnn_jax.config import UserError
from ffnn_jax.data import load
from ffnn_jax.models import load as load_model
from ffnn_jax.reporting import accuracy, confusion_matrix, precision_recall_table
from ffnn_jax.runs import enable_compilation_cache


def evaluate_and_print(
    file: Path, dataset: str | None, split: str, index: int | None, json_file: str | None
) -> int:
    """Prints the accuracy and the precision and recall of each class."""
    enable_compilation_cache()
    model, console = load_model(file, index), console_beside(json_file)
    images = load(dataset or _dataset_of(file), split)
    shape, classes = model.network.input_shape, model.class_names
    if images.image_shape != shape:
        raise UserError(f"{images.name} has images {images.image_shape}, the model needs {shape}")
    if images.class_names != classes:
        ours, theirs = (", ".join(names[:3]) for names in (classes, images.class_names))
        raise UserError(f"{images.name} has classes {theirs}, ...; the model has {ours}, ...")
    predicted = model.predict(images.images)
    confusion = confusion_matrix(images.labels, predicted, len(images.class_names))
    correct = accuracy(confusion)
    console.print(f"{images.name}: {len(images):,} images, accuracy {correct:.4f}")
    console.print(precision_recall_table(confusion, images.class_names))
    result = {
        "dataset": images.name, "sha256": images.sha256, "images": len(images),
        "accuracy": correct, "confusion": confusion.tolist(), "class_names": images.class_names,
    }  # fmt: skip
    write_json(json_file, result)
    return 0


def _dataset_of(file: Path) -> str:
    """The data set on which the model was trained."""
    try:
        config: dict[str, Any] = json.loads((file.parent / "config.json").read_text("utf-8"))
        return str(config["dataset"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        problem = "no config.json that names a data set; pass --dataset"
        raise UserError(f"{file.parent}: {problem}") from None
