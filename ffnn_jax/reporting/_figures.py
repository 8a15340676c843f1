"""Figures. Each function draws one and returns it; ``save_figure`` writes it.

Colours are colour-blind safe: a diverging map for signed values, one hue for counts.
"""

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8
from matplotlib import rc_context
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from ffnn_jax.reporting import _metrics as metrics
from ffnn_jax.reporting._labels import class_labels, escape
from ffnn_jax.reporting._metrics import MOST_SHOWN, Confusion

MOST_NAMED = 100
_FEWEST_SHADES = 10.0
_BLUE, _ORANGE, _GREY = "#0072b2", "#d55e00", "0.45"
_COLOURS = (_BLUE, _ORANGE, "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_LINES = ("-", "--", ":", "-.")
# Zero is transparent, so that it has the colour of the page.
_COUNTS = LinearSegmentedColormap.from_list("counts", [f"{_ORANGE}00", _ORANGE])
_COUNTS = _COUNTS.with_extremes(bad="#80808060")
_SIGNED = LinearSegmentedColormap.from_list(
    "signed", [(0, _BLUE), (0.5, f"{_BLUE}00"), (0.5, f"{_ORANGE}00"), (1, _ORANGE)]
)
_ARRAYS = 3


class Drawing(Figure):
    """A Matplotlib figure that displays itself in a notebook."""

    def _repr_png_(self) -> bytes:
        return png(self)


def png(figure: Figure) -> bytes:
    """A figure as PNG, at screen resolution."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=80, bbox_inches="tight", pad_inches=0.1)
    return stream.getvalue()


def svg(figure: Figure) -> str:
    """A figure as SVG, without a date and without background."""
    stream, nothing = io.StringIO(), dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "figure"}):
        figure.savefig(stream, format="svg", dpi=150, transparent=True, metadata=nothing)
    return stream.getvalue()


def save_figure(figure: Figure, path: Path) -> None:
    """Writes a figure without a date: as PNG at 150 dots per inch, or as SVG without background."""
    if path.suffix == ".svg":
        path.write_bytes(svg(figure).encode())
    else:
        metadata = {"Software": None}
        figure.savefig(path, dpi=150, bbox_inches="tight", pad_inches=0.1, metadata=metadata)


def draw_filters(kernels: Float[np.ndarray, "KH KW C K"]) -> Figure:
    """The filters of a first convolution (the report's Figure 1).

    One channel is drawn as signed weights about zero; three as colours, with all filters on one
    scale and grey for zero.
    """
    filters = np.moveaxis(kernels, -1, 0)
    largest = float(np.abs(filters).max()) or 1.0
    figure, panels = _grid(len(filters), "Filters of the first convolution", text=0)
    coloured = filters.shape[-1] == 3
    for panel, image in zip(panels, filters, strict=False):
        if coloured:
            panel.imshow(0.5 + image / (2 * largest))
        else:
            panel.imshow(image[..., 0], _SIGNED, vmin=-largest, vmax=largest)
    if not coloured:
        figure.set_figwidth(figure.get_figwidth() + 0.9)
        figure.colorbar(panels[0].images[0], ax=panels, label="weight", fraction=0.05)
    return figure


def draw_misclassified(
    images: UInt8[np.ndarray, "N H W C"],
    true: Int[np.ndarray, " N"],
    predicted: Int[np.ndarray, " N"],
    class_names: Sequence[str],
    probabilities: Float[np.ndarray, " N"] | None = None,
) -> Figure:
    """Up to 16 misclassified images (Figure 2): true class, predicted class and its probability."""
    names, shown = class_labels(class_names, 12), min(len(images), 16)
    pairs = [(names[true[k]], names[predicted[k]]) for k in range(shown)]
    arrow = " → " if max((len(t + p) for t, p in pairs), default=0) < 10 else "\n→ "
    shares = ["" if probabilities is None else f", {probabilities[k]:.0%}" for k in range(shown)]
    texts = [arrow.join(pair) + share for pair, share in zip(pairs, shares, strict=True)]
    title = "Misclassified images: true → predicted class"
    figure, panels = _grid(max(shown, 1), title if shown else "No image is misclassified")
    _show(panels, images, texts)
    return figure


def draw_predictions(images: UInt8[np.ndarray, "N H W C"], captions: Sequence[str]) -> Figure:
    """Images as the network sees them, each under its caption."""
    figure, panels = _grid(len(images), "Images as the network sees them", 1.6)
    _show(panels, images, escape(captions, 24))
    return figure


def draw_confusion(confusion: Confusion, class_names: Sequence[str]) -> Figure:
    """The confusion matrix (Figure 3); colours show errors only.

    Cells have their counts up to 25 classes, rows and columns their names up to 100.
    """
    names, classes = class_labels(class_names), len(class_names)
    counted = classes <= MOST_SHOWN
    inches = 0.52 * classes if counted else 0.13 * classes if classes <= MOST_NAMED else 6
    figure = Drawing(figsize=(2.2 + inches, 1.6 + inches), layout="constrained")
    axes = figure.subplots()
    errors = np.where(np.eye(classes, dtype=bool), np.nan, confusion)
    most = max(float(np.nan_to_num(errors).max()), _FEWEST_SHADES)
    drawn = axes.imshow(errors, _COUNTS, norm=PowerNorm(0.6, 0, most), interpolation="nearest")
    if counted:
        for (t, p), count in np.ndenumerate(confusion):
            ink = "white" if t != p and count > 0.6 * most else "0.6" if count == 0 else "black"
            weight = "bold" if t == p else "normal"
            axes.text(p, t, str(count), ha="center", va="center", size=9, color=ink, weight=weight)
    if classes <= MOST_NAMED:
        rotation = 0 if max(map(len, names)) <= 2 else 45 if counted else 90
        size = 10 if counted else 7
        axes.set_xticks(range(classes), names, rotation=rotation, size=size)
        axes.set_yticks(range(classes), names, size=size)
    axes.set(xlabel="predicted class", ylabel="true class", title="Confusion matrix, test images")
    ticks = MaxNLocator(6, integer=True)
    figure.colorbar(drawn, ax=axes, label="misclassified images", fraction=0.045, ticks=ticks)
    return figure


def draw_curves(history: Sequence[dict[str, Any]]) -> Figure:
    """Loss and accuracy against the step: a thin line for each seed, the mean in bold.

    Records have a seed, step, loss, accuracy, and validation_accuracy or None, as the run has it.
    """
    figure, left, right = _loss_and_accuracy("Loss, including weight decay", "Accuracy")
    _draw_lines(left, history, "loss", _BLUE, "training, smoothed")
    _draw_lines(right, history, "accuracy", _BLUE, "training, smoothed")
    if _is_validated(history):
        _draw_lines(right, history, "validation_accuracy", _ORANGE, "validation, 10 batches")
    for axes in (left, right):
        axes.legend(frameon=False)
    return figure


def draw_runs(histories: Mapping[str, Sequence[dict[str, Any]]]) -> Figure:
    """The curves of runs over each other, by their names: training loss, validation accuracy.

    A run without records yet, or without validation, has no line.
    """
    figure, left, right = _loss_and_accuracy("Training loss, smoothed", "Validation accuracy")
    for number, (name, history) in enumerate(histories.items()):
        style = _COLOURS[number % 6], escape([name], 32)[0], _LINES[number // 6 % 4]
        if history:
            _draw_lines(left, history, "loss", *style)
        if _is_validated(history):
            _draw_lines(right, history, "validation_accuracy", *style)
    for axes in (left, right):
        if axes.lines:
            axes.legend(frameon=False)
    return figure


def _loss_and_accuracy(loss: str, accuracy: str) -> tuple[Figure, Any, Any]:
    """A figure of two halves with these titles, for lines against the step."""
    figure = Drawing(figsize=(9, 3.6), layout="constrained")
    halves: Any = figure.subfigures(1, 2)
    left, right = (half.subplots() for half in halves)
    left.set(title=loss, xlabel="step", ylabel="loss", yscale="log")
    right.set(title=accuracy, xlabel="step", ylabel="accuracy")
    _label_plainly(left.yaxis)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return figure, left, right


def _is_validated(history: Sequence[dict[str, Any]]) -> bool:
    return any(record["validation_accuracy"] is not None for record in history)


def draw_tuning(
    curve: Sequence[tuple[float, float]], trials: Sequence[dict[str, Any]], suggestion: float | None
) -> Figure:
    """Validation loss against the learning rate, in a range test and after each trial.

    A trial has a learning_rate, and a validation_loss unless it diverged.
    """
    figure = Drawing(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(*np.array(curve).reshape(-1, 2).T, color=_BLUE, label="range test")
    ended = [(t["learning_rate"], t["validation_loss"]) for t in trials if "diverged" not in t]
    axes.plot(*np.array(ended).reshape(-1, 2).T, "o", color=_ORANGE, label="after a trial")
    diverged = [trial["learning_rate"] for trial in trials if "diverged" in trial]
    if diverged:
        top = {"transform": axes.get_xaxis_transform(), "label": "a trial that diverged"}
        axes.plot(diverged, [0.97] * len(diverged), "x", color=_ORANGE, **top)
    if suggestion is not None:
        axes.axvline(suggestion, color=_GREY, linestyle="--", label=f"suggestion: {suggestion:g}")
    title = "Learning rates, judged by validation images"
    axes.set(xscale="log", yscale="log", xlabel="learning rate", ylabel="loss", title=title)
    _label_plainly(axes.yaxis)
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    return figure


def draw_precision_recall(confusion: Confusion, class_names: Sequence[str]) -> Figure:
    """Precision, recall and F1 of each class (Table 1) as dots; undefined values have no dot.

    Of more than 25 classes, the 25 with the lowest F1.
    """
    shown, names = metrics.weakest_classes(confusion), class_labels(class_names)
    classes = len(shown)
    figure = Drawing(figsize=(5.2, 1.3 + 0.34 * classes), layout="constrained")
    axes = figure.subplots()
    values = {
        "precision": (metrics.precision(confusion), "o", _BLUE),
        "recall": (metrics.recall(confusion), "D", _ORANGE),
        "F1": (metrics.f1(confusion), "|", _GREY),
    }
    for name, (by_class, marker, colour) in values.items():
        numbers = np.array(by_class, float)[shown]
        hollow = {"markersize": 10, "fillstyle": "none"} if marker == "D" else {}
        axes.plot(numbers, range(classes), marker, color=colour, label=name, **hollow)
    axes.set_yticks(range(classes), [names[k] for k in shown])
    axes.set_ylim(classes - 0.4, -0.6)
    axes.grid(alpha=0.3)
    few = classes == len(names)
    title = "Precision and recall by class" if few else f"The {classes} classes with the lowest F1"
    axes.set(xlabel="share of images", ylabel="class", title=title)
    figure.legend(frameon=False, ncols=3, loc="outside lower center")
    return figure


def _show(panels: Sequence[Any], images: np.ndarray, texts: Sequence[str]) -> None:
    """Images in their panels, dark as 0, each under its text."""
    for panel, image, text in zip(panels, images, texts, strict=False):
        shown = image if image.shape[-1] in (3, 4) else image[..., 0]
        panel.imshow(shown, "gray", vmin=0, vmax=255, interpolation="nearest")
        panel.set_title(text, fontsize=8)


def _grid(
    count: int, title: str, inches: float = 1.1, text: float = 0.2
) -> tuple[Figure, list[Any]]:
    """A near-square grid of panels without axes; panels past ``count`` stay empty."""
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    size = (max(columns * inches, 4.4) + 0.2, rows * (inches + text) + 0.5)
    figure = Drawing(figsize=size, layout="constrained")
    figure.suptitle(title, fontsize=10)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel in panels:
        panel.set_axis_off()
        panel.set(xticks=[], yticks=[])
    return figure, panels


def _label_plainly(axis: Any) -> None:
    """Labels a logarithmic axis at 1, 2, 5, 10 ..., without powers."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _draw_lines(
    axes: Any, history: Sequence[dict[str, Any]], key: str, colour: str, label: str, line: str = "-"
) -> None:
    seeds = sorted({record["seed"] for record in history})
    lines = [[(r["step"], r[key]) for r in history if r["seed"] == seed] for seed in seeds]
    if len(seeds) > 1:
        for points in lines:
            axes.plot(*zip(*points, strict=True), color=colour, alpha=0.3, linewidth=0.8)
        label = f"{label}, mean of {len(seeds)}"
    steps = [step for step, _ in lines[0]]
    mean = np.mean([[value for _, value in points] for points in lines], axis=0)
    dot = "." if len(steps) == 1 else ""
    axes.plot(steps, mean, line, color=colour, label=label, linewidth=1.8, marker=dot)


def draw_verification(result: Any) -> Figure:
    """The error of up to three arrays that fail: got against expected, and the error by entry.

    An array that fails several checks is drawn once, as in the first of them. Entries that are not
    finite have no point, and are grey in the image. A result without an error is a ValueError.
    A result is one of ``ffnn_jax.verify``, which is not imported, since it needs jax.
    """
    parts: dict[str, tuple[str, Any]] = {}
    for check in result.checks:
        for part in check.parts:
            parts.setdefault(part.name, (check.name, part))
    if not parts:
        why = "nothing failed" if result.passed else "no failed check compares arrays"
        raise ValueError(f"{why}, so there is no error to draw")
    rows = list(parts.values())[:_ARRAYS]
    figure = Drawing(figsize=(8.6, 0.4 + 3.2 * len(rows)), layout="constrained")
    figure.suptitle(*escape([str(result.subject)]), fontsize=11)
    all_panels = figure.subplots(len(rows), 2, squeeze=False)
    for (check, part), panels in zip(rows, all_panels, strict=True):
        _draw_scatter(panels[0], check, part)
        _draw_error(figure, panels[1], part)
    return figure


def _draw_scatter(axes: Any, check: str, part: Any) -> None:
    """Entries that are right lie on the diagonal."""
    got, expected, wrong = (np.ravel(a) for a in (part.got, part.expected, part.wrong))
    got, expected = np.real(got).astype(float), np.real(expected).astype(float)
    drawn = np.isfinite(got) & np.isfinite(expected)
    for chosen, colour, label in ((~wrong, _BLUE, "right"), (wrong, _ORANGE, "wrong")):
        label = f"{label}: {chosen.sum():,} of {wrong.size:,}"
        chosen = chosen & drawn
        axes.plot(expected[chosen], got[chosen], ".", color=colour, label=label, alpha=0.7)
    axes.axline((0, 0), slope=1, color=_GREY, linewidth=0.8, zorder=0)
    axes.set(xlabel="expected", ylabel="got", title=escape([f"{check}: {part.name}"])[0])
    axes.legend(frameon=False, fontsize=8)
    axes.grid(alpha=0.3)


def _draw_error(figure: Figure, axes: Any, part: Any) -> None:
    """The entries of a matrix, or of any array as rows along its last axis."""
    got, expected = (np.asarray(a, np.result_type(a, float)) for a in (part.got, part.expected))
    with np.errstate(invalid="ignore"):
        error = np.ma.masked_invalid(np.abs(got - expected))
    matrix = error.reshape(-1, error.shape[-1] if error.ndim else 1)
    largest = float(error.max()) if error.count() else 1.0
    axes.set_facecolor(_GREY)
    drawn = axes.imshow(matrix, "Oranges", vmin=0, vmax=largest or 1.0, aspect="auto")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    note = "" if error.count() == error.size else " (grey: not finite)"
    title = f"error of {part.name}, shape {error.shape}{note}"
    axes.set(xlabel="last axis", ylabel="other axes", title=escape([title])[0])
    figure.colorbar(drawn, ax=axes, label="absolute error", fraction=0.045)
