"""What ``predict``, ``evaluate`` and ``export`` do, once jax may be imported."""

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
from rich.console import Console

from ffnn_jax.cli._results import console_beside, write_json
from ffnn_jax.config import Refusal
from ffnn_jax.data import Dataset, load
from ffnn_jax.models import (
    PLATFORMS,
    Model,
    Prediction,
    picture_files,
    predict_files,
    save_exported,
)
from ffnn_jax.models import load as load_model
from ffnn_jax.reporting import (
    accuracy,
    confusion_matrix,
    draw_predictions,
    precision_recall_table,
    save_figure,
)
from ffnn_jax.runs import keep_compiled_programs

if TYPE_CHECKING:
    from ffnn_jax.cli._predict import Evaluate, Export, Predict

_STYLES = {"auto": None, "digits": True, "plain": False}


def predict_and_print(file: Path, asked: "Predict") -> int:
    """Prints a line a picture; returns 1 if one could not be read."""
    keep_compiled_programs()
    streamed = asked.csv if asked.csv == "-" else asked.json
    model, console = load_model(file, asked.member), console_beside(streamed)
    files = list(picture_files(asked.images))
    predictions = predict_files(model, files, asked.top, _STYLES[asked.style])
    for prediction in predictions:
        _print(console, prediction)
    write_json(asked.json, [prediction.to_json() for prediction in predictions])
    if asked.csv is not None:
        _write_csv(asked.csv, predictions)
    if asked.picture is not None:
        _draw(asked.picture, predictions)
    return int(any(prediction.error for prediction in predictions))


def evaluate_and_print(file: Path, asked: "Evaluate") -> int:
    """Prints the accuracy and the table of classes."""
    keep_compiled_programs()
    model, console = load_model(file, asked.member), console_beside(asked.json)
    images = load(asked.dataset or _dataset_of(file), asked.split)
    _require_fit(model, images)
    confusion = confusion_matrix(
        images.labels, model.predict(images.images), len(images.class_names)
    )
    share = accuracy(confusion)
    console.print(f"{images.name}: {len(images):,} images, accuracy {share:.4f}")
    console.print(precision_recall_table(confusion, images.class_names), soft_wrap=True)
    result = {
        "dataset": images.name, "sha256": images.sha256, "images": len(images),
        "accuracy": share, "confusion": confusion.tolist(), "class_names": images.class_names,
    }  # fmt: skip
    write_json(asked.json, result)
    return 0


def export_and_print(file: Path, asked: "Export") -> int:
    """Writes the program and says how near it is to the model."""
    out = asked.out or file.with_suffix(".stablehlo")
    if out.resolve() == file.resolve():
        raise Refusal(f"out must not be the model itself, {out}")
    apart = save_exported(out, load_model(file, asked.member))
    size = out.stat().st_size / 1024
    print(f"{out}: {size:,.0f} kB for {', '.join(PLATFORMS)}; probabilities equal to {apart:.1e}")
    return 0


def _print(console: Console, prediction: Prediction) -> None:
    if prediction.error is not None:
        print(f"ffnn-jax: {prediction.error}", file=sys.stderr)
        return
    top = ", ".join(f"{name} {probability:.1%}" for name, probability in prediction.top)
    steps = "; ".join(prediction.fitted.steps) if prediction.fitted else ""
    console.print(f"{prediction.file}: {top}  ({steps})", soft_wrap=True, markup=False)


def _write_csv(path: str, predictions: Sequence[Prediction]) -> None:
    if path == "-":
        _write_rows(sys.stdout, predictions)
        return
    try:
        with Path(path).open("w", newline="", encoding="utf-8") as file:
            _write_rows(file, predictions)
    except OSError as error:
        raise Refusal(f"csv cannot be written: {error}") from None


def _write_rows(file: TextIO, predictions: Sequence[Prediction]) -> None:
    most = max(len(prediction.top) for prediction in predictions)
    ranks = [f"{name}_{rank}" for rank in range(1, most + 1) for name in ("label", "probability")]
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["file", "error", *ranks])
    for prediction in predictions:
        cells = [cell for one in prediction.top for cell in one]
        missing = [""] * (len(ranks) - len(cells))
        writer.writerow([prediction.file, prediction.error or "", *cells, *missing])


def _draw(path: Path, predictions: Sequence[Prediction]) -> None:
    seen = [one for one in predictions if one.fitted is not None]
    if not seen:
        raise Refusal("picture: no file could be read, so there is nothing to draw")
    captions = [f"{one.file.name}\n{one.label} {one.top[0][1]:.0%}" for one in seen]
    pixels = np.stack([one.fitted.pixels for one in seen if one.fitted is not None])
    try:
        save_figure(draw_predictions(pixels, captions), path)
    except (OSError, ValueError) as error:
        raise Refusal(f"picture cannot be written: {error}") from None


def _dataset_of(file: Path) -> str:
    """The data set of the run that left the model."""
    try:
        config: dict[str, Any] = json.loads((file.parent / "config.json").read_text("utf-8"))
        return str(config["dataset"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise Refusal(
            f"{file.parent}: no config.json that names a data set: give --dataset"
        ) from None


def _require_fit(model: Model, images: Dataset) -> None:
    shape = model.network.input_shape
    if images.image_shape != shape:
        raise Refusal(f"{images.name} has images {images.image_shape}, the model takes {shape}")
    if images.class_names != model.class_names:
        ours, theirs = (", ".join(names[:3]) for names in (model.class_names, images.class_names))
        raise Refusal(f"{images.name} has classes {theirs}, ...; the model has {ours}, ...")
