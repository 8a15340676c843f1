"""Figures over many seeds: how far rows differ, and what they cost."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ffnn_jax.runs import spread

BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "0.45"
Rows = Mapping[str, Mapping[str, Any]]


def draw_forest(rows: Rows, names: Mapping[str, str], title: str) -> Figure:
    """Draws the test accuracy of each row: every seed, the mean and interval, the report's run.

    Args:
        rows: test accuracies, and the report's accuracy or None, for each row.
        names: labels of the rows to draw, from the top.
        title: the figure's title.
    """
    figure = Figure(figsize=(8.6, 1.5 + 0.42 * len(names)), layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(names):
        values = rows[row]["test_accuracy"]
        summary = spread(values)
        # each seed's tick lies below the mean, so that neither hides the other
        axes.plot(values, np.full(len(values), place + 0.24), "|", color=GREY, ms=6, mew=0.9)
        axes.plot(
            [summary.low, summary.high], [place, place], color=BLUE, lw=3, solid_capstyle="butt"
        )
        axes.plot(summary.mean, place, "s", color=BLUE, ms=6)
        if rows[row]["report"] is not None:
            axes.plot(rows[row]["report"], place, "D", color=ORANGE, ms=6, mfc="none", mew=1.6)
        text = f"{100 * summary.mean:.1f} ± {100 * summary.sd:.1f}"
        axes.annotate(
            text, (1.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=9
        )
    reported = any(rows[row]["report"] is not None for row in names)
    _legend(axes, max(len(rows[row]["seeds"]) for row in names), reported)
    axes.set_yticks(range(len(names)), list(names.values()))
    axes.set(ylim=(len(names) - 0.4, -0.6), xlabel="test accuracy", title=title)
    _use_whole_percents(axes.xaxis)
    axes.grid(axis="x", alpha=0.3)
    return figure


def draw_cost(rows: Rows, names: Sequence[str], final: str) -> Figure:
    """Draws mean test accuracy against training operations, and against parameters."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (cost, (unit, label)) in zip(panels, _COSTS.items(), strict=True):
        for row in names:
            summary = spread(rows[row]["test_accuracy"])
            colour = ORANGE if row == final else BLUE
            x, half = rows[row][cost] / unit, summary.high - summary.mean
            axes.errorbar(x, summary.mean, half, fmt="o", color=colour, ms=5, capsize=2)
            name = f"{row} (Final)" if row == final else row
            left = row in _LABELLED_LEFT[cost]
            axes.annotate(
                name, (x, summary.mean), (-7 if left else 7, 0), textcoords="offset points",
                va="center", ha="right" if left else "left", color=colour,
            )  # fmt: skip
        axes.set_xlabel(label)
        axes.margins(x=0.2)
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("test accuracy")
    _use_whole_percents(panels[0].yaxis)
    figure.suptitle("What accuracy costs: mean and 95 % interval over seeds", fontsize=11)
    return figure


# rows of equal cost are stacked; where they nearly touch, labels alternate between sides
_LABELLED_LEFT = {"training_flops": ("3", "6b"), "parameters": ("5", "7")}
_COSTS = {
    "training_flops": (1e12, "operations of a training run, TFLOP"),
    "parameters": (1e3, "parameters, thousands"),
}


def _use_whole_percents(axis: Any) -> None:
    """Puts ticks at whole percents only, so that labels are exact."""
    axis.set_major_locator(MaxNLocator(9, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(PercentFormatter(1, decimals=0))


def _legend(axes: Any, seeds: int, reported: bool) -> None:
    axes.plot([], [], "s-", color=BLUE, lw=3, ms=6, label="mean, 95 % interval over seeds")
    axes.plot([], [], "|", color=GREY, ms=7, ls="none", label=f"a seed (up to {seeds} per row)")
    if reported:
        axes.plot(
            [], [], "D", color=ORANGE, mfc="none", mew=1.6, ls="none", label="report, one run"
        )
    axes.legend(
        frameon=False, ncols=3, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.11),
    )  # fmt: skip
