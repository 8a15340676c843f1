"""Figures of a run's best model: filters, confident mistakes, confusion matrix, curves."""

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


def best_run_data(result: RunResult) -> dict[str, Any]:
    """First-layer filters and 16 misclassified images, as JSON types."""
    indices, test = most_confident_errors(result, result.best), result.splits.test
    kernels = result.first_kernels
    assert kernels is not None
    return {
        "filters": kernels.tolist(),
        "mistakes": {
            "images": test.images[indices].tolist(),
            "true": test.labels[indices].tolist(),
            "predicted": result.test_predicted[result.best][indices].tolist(),
        },
    }


def figure_files(name: str, first: int) -> tuple[str, ...]:
    """An experiment's figure files; ``first`` is the number of the first figure in the report."""
    figures = (f"{first}_filters", f"{first + 1}_misclassified", f"{first + 2}_confusion", "curves")
    return tuple(f"{name}_{figure}.png" for figure in figures)


def draw_best_run_figures(
    result: Mapping[str, Any],
    confusion: Sequence[Sequence[int]],
    folder: Path,
    files: Sequence[str],
) -> None:
    """Writes the figures of a result; ``confusion`` is the best model's matrix."""
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


def figure_links(files: Sequence[str]) -> str:
    """The figures as Markdown images."""
    titles = ("filters", "misclassified images", "confusion matrix", "curves")
    return "\n".join(
        f"![{title}](results/{file})" for title, file in zip(titles, files, strict=True)
    )
