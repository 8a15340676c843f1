"""The page of a run: one self-contained file, built from the run's saved files."""

import base64
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from matplotlib.figure import Figure

from ffnn_jax.config import UserError
from ffnn_jax.reporting._figures import png
from ffnn_jax.reporting._metrics import Confusion, f1, precision, recall

_FIGURES = {
    "curves": "Loss, including weight decay, and accuracy against the step",
    "filters": "Filters of the first convolution",
    "misclassified": "The misclassified images with the highest predicted probability",
    "precision_recall": "Precision, recall and F1 of each class",
}
_CAPTIONS = _FIGURES | {"confusion": "Confusion matrix"}
Result = Mapping[str, Any]


def run_fragment(result: Result, figures: Mapping[str, Figure]) -> str:
    """The HTML that a notebook shows for a run: its numbers and figures.

    Args:
        result: content of ``result.json``.
        figures: figures by name.
    """
    shown = [
        {"caption": caption, "data": _base64(png(figures[name]))}
        for name, caption in _CAPTIONS.items()
        if name in figures
    ]
    headline = f"{result['preset']}, {_seeds(result)}"
    return _template("fragment.html").render(headline=headline, cards=_cards(result), figures=shown)


def run_page(folder: Path) -> str:
    """The page of a run as HTML.

    Args:
        folder: the run's folder.

    Raises:
        UserError: the folder is not that of a finished run.
    """
    result, settings = _read(folder / "result.json"), _read(folder / "config.json")
    try:
        return _page(folder, result, settings)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise UserError(
            f"{folder}: result.json and config.json are not those of a run ({error!r})"
        ) from None


def _page(folder: Path, result: Result, settings: dict[str, Any]) -> str:
    best = list(result["seeds"]).index(result["best_seed"])
    confusion, names = np.array(result["confusion"][best]), result["class_names"]
    return _template("run.html").render(
        name=folder.resolve().name,
        seeds=_seeds(result),
        headline=f"test accuracy {_spread(result['test_accuracy'])}",
        result={"network": None, "warnings": [], **result},
        settings=_settings(settings, result),
        cards=_cards(result),
        confusion=_confusion(confusion, names),
        classes=_classes(confusion, names),
        figures=_figures(folder),
        facts=_facts(result),
    )


def _template(name: str) -> Template:
    loader = PackageLoader("ffnn_jax.reporting")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template(name)


def _seeds(result: Result) -> str:
    count = len(result["seeds"])
    return f"{count} seed{'s' if count > 1 else ''}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read, so {path.parent} is not a finished run ({error})"
        ) from None


def _cards(result: Result) -> list[dict[str, str]]:
    shown = {
        "test accuracy": _spread(result["test_accuracy"]),
        "validation accuracy": _spread(result["validation_accuracy"]),
        "training accuracy": _spread(result["train_accuracy"]),
        "parameters": f"{result['parameters']:,}",
        "training time": f"{result['train_seconds']:.1f} s",
        "images per second": f"{result['images_per_second']:,.0f}",
    }
    return [{"name": name, "value": value} for name, value in shown.items()]


def _spread(values: Sequence[float | None]) -> str:
    """The mean in percent, with the standard deviation over several seeds."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    deviation = f" ± {100 * statistics.stdev(known):.1f}" if len(known) > 1 else ""
    return f"{100 * statistics.mean(known):.1f}{deviation} %"


def _confusion(confusion: Confusion, names: Sequence[str]) -> list[dict[str, Any]]:
    errors = confusion - np.diag(confusion.diagonal())
    most = max(int(errors.max()), 1)
    return [
        {
            "name": names[t],
            "cells": [_cell(confusion, names, t, p, most) for p in range(len(names))],
        }
        for t in range(len(names))
    ]


def _cell(confusion: Confusion, names: Sequence[str], t: int, p: int, most: int) -> dict[str, Any]:
    count = int(confusion[t, p])
    kind = "right" if t == p else "none" if count == 0 else "wrong"
    outcome = "classified correctly" if t == p else f"classified as {names[p]}"
    title = f"{count} of {int(confusion[t].sum())} images of {names[t]} {outcome}"
    share = round(0.75 * count / most, 3) if t != p else 0
    return {"count": count, "kind": kind, "title": title, "share": share}


def _classes(confusion: Confusion, names: Sequence[str]) -> list[dict[str, Any]]:
    values = zip(precision(confusion), recall(confusion), f1(confusion), strict=True)
    return [
        {
            "name": name,
            "images": f"{int(confusion[k].sum()):,}",
            **{
                key: "–" if value is None else f"{value:.4f}"
                for key, value in zip(("precision", "recall", "f1"), scores, strict=True)
            },
        }
        for k, (name, scores) in enumerate(zip(names, values, strict=True))
    ]


def _figures(folder: Path) -> list[dict[str, str]]:
    paths = {name: folder / f"{name}.png" for name in _FIGURES}
    return [
        {"name": name, "caption": _FIGURES[name], "data": _base64(path.read_bytes())}
        for name, path in paths.items()
        if path.exists()
    ]


def _settings(settings: Mapping[str, Any], result: Result) -> list[tuple[str, str]]:
    """Each setting; validation only if the data set has no validation split."""
    if "layers" not in settings:
        raise KeyError("layers")
    shown = {key.replace("_", " "): _to_text(value) for key, value in settings.items()}
    if len(result["data_sha256"]) > 2:
        shown["validation"] = "unused: the data set has a validation split"
    return list(shown.items())


def _facts(result: Result) -> list[tuple[str, str]]:
    facts = {
        "device": ", ".join(
            f"{key.replace('_', ' ')} {'default' if value is None else value}"
            for key, value in result["device"].items()
        ),
        "versions": ", ".join(f"{key} {value}" for key, value in result["versions"].items()),
        "compilation time": f"{result['compile_seconds']:.1f} s",
        **{f"SHA-256 of {name}": digest for name, digest in result["data_sha256"].items()},
        **{
            f"SHA-256 of seed {seed}'s parameters": digest
            for seed, digest in zip(result["seeds"], result["parameters_sha256"], strict=True)
        },
    }
    return list(facts.items())


def _to_text(value: Any) -> str:
    """A setting's value as text; configurations as in "Conv(filters=16, size=5)"."""
    if isinstance(value, dict):
        known = {key: v for key, v in value.items() if key != "type" and v is not None}
        fields = ", ".join(f"{key}={_field(v)}" for key, v in known.items())
        return f"{value['type']}({fields})" if "type" in value else fields or "none"
    if isinstance(value, list):
        return ", ".join(map(_to_text, value)) or "none"
    return "all" if value is None else str(value)


def _field(value: Any) -> str:
    """A field of a configuration; nested layers in parentheses."""
    return f"({_to_text(value)})" if isinstance(value, list) else str(value)
