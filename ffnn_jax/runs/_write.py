"""The folder that a run leaves: settings, metrics, result, models, figures and tables."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ffnn_jax.config import Settings
from ffnn_jax.models import save
from ffnn_jax.reporting import (
    draw_confusion,
    draw_curves,
    draw_filters,
    draw_misclassified,
    draw_precision_recall,
    precision_recall_table,
    run_page,
    save_figure,
)
from ffnn_jax.runs._compute import Outcome
from ffnn_jax.runs._environment import device, versions


def write_config(folder: Path, settings: Settings) -> None:
    """Writes the settings, before a run begins."""
    _write_json(folder / "config.json", settings.to_json())


def write_run(folder: Path, outcome: Outcome) -> None:
    """Fills a run's folder. Figures and Table 1 are of the best member by validation."""
    lines = [json.dumps(record._asdict()) for record in outcome.trained.history]
    _write(folder / "metrics.jsonl", "".join(f"{line}\n" for line in lines))
    _write_json(folder / "result.json", result_of(outcome))
    save(folder / "model.npz", outcome.models, outcome.best)
    _draw(folder, outcome)
    names = outcome.splits.test.class_names
    table = precision_recall_table(outcome.confusions[outcome.best], names)
    _write(folder / "table_1.md", table)
    _write(folder / "table_2.md", outcome.models[0].network.summary().to_markdown())
    write_page(folder)


def write_page(folder: Path) -> Path:
    """Writes a run's page from what the run saved, and returns where it is.

    Raises:
        Refusal: the folder is not one that a run left.
    """
    _write(folder / "report.html", run_page(folder))
    return folder / "report.html"


def result_of(outcome: Outcome) -> dict[str, Any]:
    """What ``result.json`` holds; lists have one entry a seed."""
    settings, splits, trained = outcome.settings, outcome.splits, outcome.trained
    summary = outcome.models[0].network.summary()
    images = len(outcome.models) * settings.steps * settings.batch_size
    return {
        "preset": settings.preset,
        "dataset": settings.dataset,
        "data_sha256": {part.name: part.sha256 for part in splits if part is not None},
        "seeds": outcome.seeds,
        "test_accuracy": outcome.test_accuracy,
        "validation_accuracy": outcome.validation_accuracy,
        "train_accuracy": outcome.train_accuracy,
        "best_seed": outcome.seeds[outcome.best],
        "confusion": [confusion.tolist() for confusion in outcome.confusions],
        "class_names": splits.test.class_names,
        "parameters": summary.parameters,
        "network": summary.to_json(),
        "parameters_sha256": [model.parameters_sha256 for model in outcome.models],
        "compile_seconds": trained.compile_seconds,
        "streaming": outcome.streaming,
        "train_seconds": trained.train_seconds,
        "images_per_second": images / trained.train_seconds,
        "versions": versions(),
        "device": device(),
    }


def most_confident_mistakes(outcome: Outcome, member: int, count: int = 16) -> np.ndarray:
    """Rows of the test images that are misclassified with the highest probability."""
    probabilities = outcome.test_probabilities[member]
    wrong = np.flatnonzero(outcome.test_predicted[member] != outcome.splits.test.labels)
    confidence = probabilities[wrong].max(axis=1)
    return wrong[np.argsort(-confidence, kind="stable")][:count]


def _draw(folder: Path, outcome: Outcome) -> None:
    best, test = outcome.best, outcome.splits.test
    rows = most_confident_mistakes(outcome, best)
    predicted = outcome.test_predicted[best][rows]
    confusion, names = outcome.confusions[best], test.class_names
    figures = {
        "misclassified": draw_misclassified(test.images[rows], test.labels[rows], predicted, names),
        "confusion": draw_confusion(confusion, names),
        "precision_recall": draw_precision_recall(confusion, names),
        "curves": draw_curves([record._asdict() for record in outcome.trained.history]),
    }
    kernels = _first_kernels(outcome)
    if kernels is not None:
        figures["filters"] = draw_filters(kernels)
    for name, figure in figures.items():
        save_figure(figure, folder / f"{name}.png")


def _first_kernels(outcome: Outcome) -> np.ndarray | None:
    """The first convolution's kernels, or None in a network without one."""
    params = outcome.models[outcome.best].params
    return next((np.asarray(p["w"]) for p in params.values() if p["w"].ndim == 4), None)


def _write_json(path: Path, value: Any) -> None:
    _write(path, json.dumps(value, indent=2) + "\n")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
