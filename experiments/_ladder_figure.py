"""The figure of the ladder: accuracy against processor time, from the report's models upwards."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from experiments._figures import BLUE, GREY
from ffnn_jax.runs import spread

Rows = Mapping[str, Mapping[str, Any]]


def draw_ladder(rungs: Rows, below: Rows) -> Figure:
    """Draws each row's mean test accuracy and interval against its fastest seed's time.

    Args:
        rungs: test accuracies and training seconds on one core, by rung.
        below: the same for the networks that the ladder starts from.
    """
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.subplots()
    for rows, colour in ((below, GREY), (rungs, BLUE)):
        for name, row in rows.items():
            found = spread(row["test_accuracy"])
            half = found.high - found.mean if found.n > 1 else 0
            place = row["train_seconds"], found.mean
            axes.errorbar(*place, half, fmt="o", color=colour, ms=5, capsize=2)
            if colour == BLUE:
                offset = {"xytext": (-5, -15), "textcoords": "offset points", "ha": "right"}
                axes.annotate(name, place, color=BLUE, **offset)
    if below:
        axes.plot([], [], "o", color=GREY, label="the report's models, and within its budget")
    axes.plot([], [], "o", color=BLUE, label="presets, all gradients by hand")
    axes.set(xscale="log", xlabel="training, seconds of one core", ylabel="test accuracy")
    axes.yaxis.set_major_formatter(PercentFormatter(1, 0))
    axes.legend(loc="lower right", frameon=False)
    axes.grid(alpha=0.3)
    return figure
