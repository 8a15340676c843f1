"""The time of a training step of each variant, relative to ours."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from experiments._speed_rows import panel_of, panel_title

_FAMILIES = {
    "ours": "#0072b2", "plain": "#e69f00", "flax": "#d55e00", "equinox": "#cc79a7",
    "keras": "#999999", "torch": "#009e73",
}  # fmt: skip


def draw_speed(rows: Sequence[dict[str, Any]]) -> Figure:
    """Draws a panel per network, batch size and precision: a bar per variant, on one scale."""
    workloads = list(dict.fromkeys(map(panel_of, rows)))
    columns = min(3, len(workloads))
    lines = -(-len(workloads) // columns)
    most = max(sum(panel_of(row) == one for row in rows) for one in workloads)
    size = (3.6 * columns + 1, lines * (0.7 + 0.19 * most) + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False, sharex=True)
    for panel in panels.flat[len(workloads) :]:
        panel.set_axis_off()
    for panel, one in zip(panels.flat, workloads, strict=False):
        _draw_panel(panel, [row for row in rows if panel_of(row) == one])
        panel.set_title(panel_title(one), fontsize=9)
    ratios = [row["ratio_to_ours"] for row in rows]
    panels.flat[0].set_xlim(min(*ratios, 1) / 1.3, max(*ratios, 1) * 1.8)  # space for the numbers
    figure.suptitle("Training step time relative to ours (log scale)", fontsize=11)
    return figure


def _draw_panel(panel: Any, rows: Sequence[dict[str, Any]]) -> None:
    places = np.arange(len(rows))
    ratios = [row["ratio_to_ours"] for row in rows]
    colours = [_FAMILIES[row["variant"].partition("-")[0]] for row in rows]
    panel.barh(places, ratios, color=colours, height=0.7)
    for place, row in zip(places, rows, strict=True):
        text = f" {row['ratio_to_ours']:.2f}"
        panel.annotate(text, (row["ratio_to_ours"], place), va="center", fontsize=7)
    panel.set_yticks(places, [row["variant"] for row in rows], fontsize=7)
    panel.invert_yaxis()
    panel.set_xscale("log")
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.axvline(1, color="0.3", lw=0.8)
    panel.grid(axis="x", alpha=0.3)
