"""The page of a run: one self-contained file, built from the run's saved files."""

import base64
import os
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import UndefinedError
from markupsafe import Markup
from matplotlib.figure import Figure

from ffnn_jax._schema import read_saved
from ffnn_jax.config import UserError
from ffnn_jax.reporting import _metrics
from ffnn_jax.reporting._figures import MOST_NAMED, png
from ffnn_jax.reporting._labels import class_labels, escape
from ffnn_jax.reporting._template import template

_FIGURES = {
    "curves": "Loss, including weight decay, and accuracy against the step",
    "filters": "Filters of the first convolution",
    "misclassified": "The misclassified images with the highest predicted probability",
    "precision_recall": "Precision, recall and F1 by class",
    "confusion": "Confusion matrix",
}
_CODE = re.compile(r"<script|<foreignObject|<[^>]*\son\w+\s*=|javascript:", re.IGNORECASE)
Result = Mapping[str, Any]


def run_fragment(result: Result, figures: Mapping[str, Figure]) -> str:
    """The HTML that a notebook shows for a run, from ``result.json`` and the figures by name."""
    shown = [
        {"caption": caption, "data": base64.b64encode(png(figures[name])).decode()}
        for name, caption in _FIGURES.items()
        if name in figures
    ]
    headline = f"{result['preset']}, {_seeds(result)}"
    return template("fragment.html").render(headline=headline, cards=_cards(result), figures=shown)


def run_page(folder: Path) -> str:
    """The page of a run as HTML, from its folder; rejects one that is not of a finished run."""
    result, settings = read_saved(folder / "result.json"), read_saved(folder / "config.json")
    try:
        return _page(folder, result, settings)
    except UserError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, UndefinedError) as error:
        problem = f"result.json and config.json are not those of a run ({error!r})"
        raise UserError(f"{folder}: {problem}") from None


def _page(folder: Path, result: Result, settings: dict[str, Any]) -> str:
    best = list(result["seeds"]).index(result["best_seed"])
    confusion, names = np.array(result["confusion"][best]), result["class_names"]
    shown = (_metrics.precision, _metrics.recall, _metrics.f1)
    return template("run.html").render(
        name=os.fsencode(folder.resolve().name).decode(errors="replace"),
        seeds=_seeds(result),
        headline=f"test accuracy {spread_in_percent(result['test_accuracy'])}",
        result={"network": None, "warnings": [], **result},
        settings=_settings(settings, result),
        cards=_cards(result),
        confusion=confusion.tolist(),
        counted=len(names) <= _metrics.MOST_SHOWN,
        named=len(names) <= MOST_NAMED,
        commonest=_metrics.commonest_confusions(confusion),
        classes=_metrics.weakest_classes(confusion),
        images=confusion.sum(axis=1).tolist(),
        metrics={metric.__name__: metric(confusion) for metric in shown},
        labels=list(zip(class_labels(names), escape(names), names, strict=True)),
        figures=_figures(folder),
    )


def _seeds(result: Result) -> str:
    count = len(result["seeds"])
    return f"{count} seed{'s' if count > 1 else ''}"


def _cards(result: Result) -> dict[str, str]:
    return {
        "test accuracy": spread_in_percent(result["test_accuracy"]),
        "validation accuracy": spread_in_percent(result["validation_accuracy"]),
        "training accuracy": spread_in_percent(result["train_accuracy"]),
        "parameters": f"{result['parameters']:,}",
        "training time": f"{result['train_seconds']:.1f} s",
        "images per second": f"{result['images_per_second']:,.0f}",
    }


def spread_in_percent(values: Sequence[float | None]) -> str:
    """The mean in percent, with the standard deviation over several seeds."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    deviation = f" ± {100 * statistics.stdev(known):.1f}" if len(known) > 1 else ""
    return f"{100 * statistics.mean(known):.1f}{deviation} %"


def _figures(folder: Path) -> dict[str, list[Markup]]:
    """Each saved figure as HTML; the curves as two halves, which a narrow screen stacks."""
    figures: dict[str, list[Markup]] = {name: [] for name in _FIGURES}
    for name, label in _FIGURES.items():
        drawing, picture = folder / f"{name}.svg", folder / f"{name}.png"
        if drawing.exists():
            figures[name] = inline(
                drawing.read_text("utf-8"), drawing, label, 2 if name == "curves" else 1
            )
        elif picture.exists():
            image = Markup('<img alt="{}" src="data:image/png;base64,{}">')
            data = base64.b64encode(picture.read_bytes()).decode()
            figures[name] = [image.format(label, data)]
    return figures


def inline(drawing: str, file: object, label: str, parts: int) -> list[Markup]:
    """An SVG in equal parts, from left to right; one that is not ours or runs code is rejected."""
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawing)
    if box is None or "<defs" not in drawing or _CODE.search(drawing):
        raise UserError(f"{file} is not a figure of a run; remove it, or write the run again")
    width, height = map(float, box.groups())
    svg = Markup('<svg role="img" aria-label="{}" width="{}pt" viewBox="{} 0 {} {}">{}')
    body = Markup(drawing[drawing.index("<defs") :].replace("#000000", "currentColor"))
    part = width / parts
    return [svg.format(label, part, k * part, part, height, body) for k in range(parts)]


def _settings(settings: Mapping[str, Any], result: Result) -> list[tuple[str, str]]:
    """Each setting; validation only if the data set has no validation split."""
    if "layers" not in settings:
        raise KeyError("layers")
    shown = {key.replace("_", " "): to_text(value) for key, value in settings.items()}
    if len(result["data_sha256"]) > 2:
        shown["validation"] = "unused: the data set has a validation split"
    return list(shown.items())


def to_text(value: Any) -> str:
    """A setting's value as text; as in "Conv(filters=16, size=5)", nested layers in parentheses."""
    if isinstance(value, dict):
        known = {key: v for key, v in value.items() if key != "type" and v is not None}
        texts = {key: f"({to_text(v)})" if isinstance(v, list) else v for key, v in known.items()}
        fields = ", ".join(f"{key}={text}" for key, text in texts.items())
        return f"{value['type']}({fields})" if "type" in value else fields or "none"
    if isinstance(value, list):
        return ", ".join(map(to_text, value)) or "none"
    return "all" if value is None else str(value)
