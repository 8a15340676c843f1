"""What is shown of a run's best model: filters, confident mistakes, confusion matrix, curves."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ffnn_jax.reporting import (
    draw_confusion,
    draw_curves,
    draw_filters,
    draw_misclassified,
    save_figure,
)
from ffnn_jax.runs import RunResult, most_confident_errors


def draw_best_run(result: RunResult) -> dict[str, Any]:
    """First-layer filters and 16 misclassified images, as JSON's own types."""
    rows, test = most_confident_errors(result, result.best), result.splits.test
    kernels = result.first_kernels
    assert kernels is not None
    return {
        "filters": kernels.tolist(),
        "mistakes": {
            "images": test.images[rows].tolist(),
            "true": test.labels[rows].tolist(),
            "predicted": result.test_predicted[result.best][rows].tolist(),
        },
    }


def figure_files(name: str, first: int) -> tuple[str, ...]:
    """The files of an experiment's figures, which the report counts from ``first`` on."""
    figures = (f"{first}_filters", f"{first + 1}_misclassified", f"{first + 2}_confusion", "curves")
    return tuple(f"{name}_{figure}.png" for figure in figures)


def draw_best_run_figures(
    result: Mapping[str, Any],
    confusion: Sequence[Sequence[int]],
    folder: Path,
    files: Sequence[str],
) -> None:
    """Writes the figures of a result, its confusion matrix being the best model's."""
    names, mistakes = result["class_names"], result["mistakes"]
    images = np.array(mistakes["images"], np.uint8)
    true, predicted = np.array(mistakes["true"]), np.array(mistakes["predicted"])
    figures = (
        draw_filters(np.array(result["filters"])),
        draw_misclassified(images, true, predicted, names),
        draw_confusion(np.array(confusion), names),
        draw_curves(result["history"]),
    )
    for file, figure in zip(files, figures, strict=True):
        save_figure(figure, folder / file)


def shown(files: Sequence[str]) -> str:
    """The figures in Markdown."""
    words = ("filters", "misclassified images", "confusion matrix", "curves")
    return "\n".join(f"![{word}](results/{file})" for word, file in zip(words, files, strict=True))
