"""The figures of ``text_claims``."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from experiments._figures import BLUE, GREEN, GREY, ORANGE

Curve = Mapping[str, Any]


def draw_race(curves: Mapping[str, Curve], against: str, title: str) -> Figure:
    """Draws validation accuracy against steps or seconds: one line per seed.

    Args:
        curves: settings, training seconds per seed and history of each curve, by name.
        against: the horizontal axis, "step" or "seconds".
        title: the figure's title.
    """
    figure = Figure(figsize=(6, 3.8), layout="constrained")
    axes = figure.subplots()
    for (name, curve), colour in zip(curves.items(), (BLUE, ORANGE), strict=False):
        scale = 1.0
        if against == "seconds":
            scale = curve["train_seconds"] / curve["settings"]["steps"]
        by_seed = sorted(curve["history"], key=lambda line: (line["seed"], line["step"]))
        for place, (_, lines) in enumerate(groupby(by_seed, lambda line: line["seed"])):
            points = [(scale * line["step"], line["validation_accuracy"]) for line in lines]
            rate = curve["settings"]["learning_rate"]
            label = f"{name}, rate {rate:g}" if place == 0 else None
            axes.plot(*zip(*points, strict=True), color=colour, lw=1.1, alpha=0.8, label=label)
    axes.set(xlabel=_LABELS[against], ylabel="validation accuracy", title=title)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="lower right")
    return figure


def draw_smoothness(smoothness: Mapping[str, Any]) -> Figure:
    """Draws the moving average of one bias's gradients, and its deviation against mu."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.7, 1))
    for (mu, trace), colour in zip(smoothness["traces"].items(), (GREY, BLUE, ORANGE), strict=True):
        thin = mu == "0.0"
        left.plot(trace, color=colour, lw=0.7 if thin else 1.6, label=f"mu = {float(mu):g}")
    left.set(xlabel="batch", ylabel="m", title="Moving average of one bias's gradients")
    mu = np.linspace(0, 0.995, 200)
    right.plot(mu, np.sqrt((1 - mu) / (1 + mu)), color=GREEN, label="sqrt((1 - mu)/(1 + mu))")
    right.plot(smoothness["momenta"], smoothness["measured"], "o", color=BLUE, label="measured")
    right.set(xlabel="mu", ylabel="deviation of m / of gradients", title="mu as smoothness")
    for axes in (left, right):
        axes.legend(frameon=False, fontsize=9)
        axes.grid(alpha=0.3)
    return figure


_LABELS = {"step": "step", "seconds": "training time, seconds"}
