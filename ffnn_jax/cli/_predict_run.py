"""Classifies images with the model of a run."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from ffnn_jax._device import chosen_devices, on_devices
from ffnn_jax.cli._files import writing
from ffnn_jax.cli._output import console_beside, write_json, write_text
from ffnn_jax.config import UserError
from ffnn_jax.models import (
    Prediction,
    load,
    picture_files,
    predict_files,
    predictions_csv,
    skipped_line,
)  # fmt: skip
from ffnn_jax.runs import enable_compilation_cache

_STYLES = {"auto": None, "digits": True, "plain": False}


def predict_and_print(
    file: Path, images: Sequence[Path], index: int | None, devices: int | str, top: int, style: str,
    *,
    json: str | None, csv: str | None, picture: Path | None,
) -> int:  # fmt: skip
    """Prints a line for each picture; returns 1 if one could not be read."""
    enable_compilation_cache()
    used = chosen_devices(devices)
    model, console = load(file, index), console_beside("-" if csv == "-" else json)
    skipped: list[Path] = []
    files = list(picture_files(images, skipped))
    with on_devices(used):
        predictions = predict_files(model, files, top, _STYLES[style])
    for prediction in predictions:
        _print(console, prediction)
    if skipped:
        print(f"ffnn-jax: {skipped_line(skipped)}", file=sys.stderr)
    write_json(json, [prediction.to_json() for prediction in predictions])
    if csv is not None:
        write_text("csv", csv, predictions_csv(predictions))
    if picture is not None:
        _draw(picture, predictions)
    return int(any(prediction.error for prediction in predictions))


def _print(console: Console, prediction: Prediction) -> None:
    if prediction.error is not None:
        print(f"ffnn-jax: {prediction.error}", file=sys.stderr)
        return
    top = ", ".join(f"{name} {probability:.1%}" for name, probability in prediction.top)
    steps = "; ".join(prediction.prepared.steps) if prediction.prepared else ""
    where = f" at {', '.join(map(str, prediction.box))}" if prediction.box else ""
    console.print(f"{prediction.file}{where}: {top}  ({steps})")
    if prediction.warning:
        print(f"ffnn-jax: {prediction.file}{where}: {prediction.warning}", file=sys.stderr)


def _draw(path: Path, predictions: Sequence[Prediction]) -> None:
    from ffnn_jax.reporting import draw_predictions, save_figure

    seen = [one for one in predictions if one.prepared is not None]
    if not seen:
        raise UserError("picture: no file could be read, so there is nothing to draw")
    captions = [f"{one.file.name}\n{one.label} {one.top[0][1]:.0%}" for one in seen]
    pixels = np.stack([one.prepared.pixels for one in seen if one.prepared is not None])
    with writing(f"picture {path}", ValueError):
        save_figure(draw_predictions(pixels, captions), path)
