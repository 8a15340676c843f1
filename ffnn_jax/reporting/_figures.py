"""Figures. Each function draws one and returns it; ``save_figure`` writes it.

Colours are colour-blind safe: a diverging map for signed values, one hue for counts.
"""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from ffnn_jax.reporting._metrics import Confusion, f1, precision, recall

_PANEL_INCHES = 1.1
_FEWEST_SHADES = 10.0
_BLUE, _ORANGE, _GREY = "#0072b2", "#d55e00", "0.45"


class Drawing(Figure):
    """A Matplotlib figure that displays itself in a notebook."""

    def _repr_png_(self) -> bytes:
        return png(self)


def png(figure: Figure) -> bytes:
    """A figure as PNG, at screen resolution."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=80, bbox_inches="tight", pad_inches=0.1)
    return stream.getvalue()


def save_figure(figure: Figure, path: Path) -> None:
    """Writes a figure as PNG, at 150 dots per inch, without a date."""
    metadata = {"Software": None}
    figure.savefig(path, dpi=150, bbox_inches="tight", pad_inches=0.1, metadata=metadata)


def escape(names: Sequence[str]) -> list[str]:
    """Escapes names for Matplotlib: a dollar sign must not start a formula."""
    return [name.replace("$", r"\$") for name in names]


def draw_filters(kernels: Float[np.ndarray, "KH KW C K"]) -> Figure:
    """The filters of a first convolution (the report's Figure 1).

    One channel is drawn as signed weights about zero; three as colours, with all filters on one
    scale and grey for zero.
    """
    filters = np.moveaxis(kernels, -1, 0)
    largest = float(np.abs(filters).max()) or 1.0
    figure, panels = _grid(len(filters), "Filters of the first convolution")
    coloured = filters.shape[-1] == 3
    for panel, image in zip(panels, filters, strict=False):
        if coloured:
            panel.imshow(0.5 + image / (2 * largest))
        else:
            panel.imshow(image[..., 0], "RdBu_r", vmin=-largest, vmax=largest)
    if not coloured:
        figure.colorbar(panels[0].images[0], ax=panels, label="weight", fraction=0.05)
    return figure


def draw_misclassified(
    images: UInt8[np.ndarray, "N H W C"],
    true: Int[np.ndarray, " N"],
    predicted: Int[np.ndarray, " N"],
    class_names: Sequence[str],
) -> Figure:
    """Up to 16 misclassified images with their true and predicted class (Figure 2)."""
    class_names, shown = escape(class_names), min(len(images), 16)
    title = "Misclassified images: true class → predicted class"
    figure, panels = _grid(max(shown, 1), title if shown else "No image is misclassified")
    for panel, image, t, p in zip(panels, images[:16], true, predicted, strict=False):
        panel.imshow(image.squeeze(-1) if image.shape[-1] == 1 else image, "gray_r")
        panel.set_title(f"{class_names[t]} → {class_names[p]}", fontsize=9)
    return figure


def draw_predictions(images: UInt8[np.ndarray, "N H W C"], captions: Sequence[str]) -> Figure:
    """Images as the network sees them, each with its caption."""
    figure, panels = _grid(len(images), "Images as the network sees them")
    width, height = figure.get_size_inches()
    figure.set_size_inches(1.35 * width, 1.35 * height)
    for panel, image, caption in zip(panels, images, escape(captions), strict=False):
        panel.imshow(image.squeeze(-1) if image.shape[-1] == 1 else image, "gray_r", vmin=0)
        panel.set_title(caption, fontsize=8)
    return figure


def draw_confusion(confusion: Confusion, class_names: Sequence[str]) -> Figure:
    """The confusion matrix with its counts (Figure 3); colours show errors only."""
    class_names, classes = escape(class_names), len(class_names)
    figure = Drawing(figsize=(2.2 + 0.52 * classes, 1.6 + 0.52 * classes), layout="constrained")
    axes = figure.subplots()
    errors = np.where(np.eye(classes, dtype=bool), np.nan, confusion)
    axes.set_facecolor("0.93")
    most = max(float(np.nan_to_num(errors).max()), _FEWEST_SHADES)
    drawn = axes.imshow(errors, "Oranges", norm=PowerNorm(0.6, 0, most))
    for t, p in np.ndindex(classes, classes):
        count = confusion[t, p]
        dark = t != p and count > 0.6 * most
        axes.text(
            p, t, str(count), ha="center", va="center", fontsize=9,
            color="white" if dark else ("0.6" if count == 0 else "black"),
            weight="bold" if t == p else "normal",
        )  # fmt: skip
    long = max(map(len, class_names)) > 2
    axes.set_xticks(range(classes), class_names, rotation=45 if long else 0)
    axes.set_yticks(range(classes), class_names)
    axes.set(xlabel="predicted class", ylabel="true class", title="Confusion matrix, test images")
    ticks = MaxNLocator(6, integer=True)
    figure.colorbar(drawn, ax=axes, label="misclassified images", fraction=0.045, ticks=ticks)
    return figure


def draw_curves(history: Sequence[dict[str, Any]]) -> Figure:
    """Loss and accuracy against the step: a thin line for each seed, the mean in bold.

    Args:
        history: records with seed, step, loss, accuracy and validation_accuracy, which is None
            throughout for a run without validation images.
    """
    figure = Drawing(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_lines(left, history, "loss", _BLUE, "training, smoothed")
    _draw_lines(right, history, "accuracy", _BLUE, "training, smoothed")
    if any(record["validation_accuracy"] is not None for record in history):
        _draw_lines(right, history, "validation_accuracy", _ORANGE, "validation, 10 batches")
    left.set(title="Loss, including weight decay", xlabel="step", ylabel="loss", yscale="log")
    right.set(title="Accuracy", xlabel="step", ylabel="accuracy")
    left.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    left.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    left.yaxis.set_minor_formatter(NullFormatter())
    for axes in (left, right):
        axes.legend(frameon=False)
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return figure


def draw_precision_recall(confusion: Confusion, class_names: Sequence[str]) -> Figure:
    """Precision, recall and F1 of each class (Table 1) as dots; undefined values have no dot."""
    class_names, classes = escape(class_names), len(class_names)
    figure = Drawing(figsize=(6.4, 1.3 + 0.34 * classes), layout="constrained")
    axes = figure.subplots()
    values = {
        "precision": (precision(confusion), "o", _BLUE),
        "recall": (recall(confusion), "D", _ORANGE),
        "F1": (f1(confusion), "|", _GREY),
    }
    for name, (by_class, marker, colour) in values.items():
        numbers = [math.nan if value is None else value for value in by_class]
        hollow = {"markersize": 10, "fillstyle": "none"} if marker == "D" else {}
        axes.plot(numbers, range(classes), marker, color=colour, label=name, **hollow)
    axes.set_yticks(range(classes), class_names)
    axes.set_ylim(classes - 0.4, -0.6)
    axes.grid(alpha=0.3)
    axes.set(xlabel="share of images", ylabel="class", title="Precision and recall by class")
    figure.legend(frameon=False, ncols=3, loc="outside lower center")
    return figure


def _grid(count: int, title: str) -> tuple[Figure, list[Any]]:
    """A near-square grid of panels without axes; panels past ``count`` stay empty."""
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    size = (columns * _PANEL_INCHES + 1.2, rows * (_PANEL_INCHES + 0.2) + 0.5)
    figure = Drawing(figsize=size, layout="constrained")
    figure.suptitle(title, fontsize=11)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel in panels:
        panel.set_axis_off()
    return figure, panels


def _draw_lines(
    axes: Any, history: Sequence[dict[str, Any]], key: str, colour: str, label: str
) -> None:
    seeds = sorted({record["seed"] for record in history})
    lines = [[(r["step"], r[key]) for r in history if r["seed"] == seed] for seed in seeds]
    if len(seeds) > 1:
        for points in lines:
            axes.plot(*zip(*points, strict=True), color=colour, alpha=0.3, linewidth=0.8)
        label = f"{label}, mean of {len(seeds)}"
    steps = [step for step, _ in lines[0]]
    mean = np.mean([[value for _, value in points] for points in lines], axis=0)
    axes.plot(steps, mean, color=colour, label=label, linewidth=1.8)
