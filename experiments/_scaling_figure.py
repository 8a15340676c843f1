"""The predicted efficiency of data-parallel steps against the number of accelerators."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator, PercentFormatter

from experiments._scaling_model import Accelerator, Work, efficiency

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
_TITLES = {"strong": "one batch divided", "weak": "a batch on each"}
DEVICES = tuple(2**exponent for exponent in range(10))


def draw_scaling(works: Mapping[str, Work], where: Mapping[str, Accelerator]) -> Figure:
    """A row of panels for each kind of scaling, a panel for each accelerator, a line a network."""
    figure = Figure(figsize=(2.6 * len(where) + 0.8, 5.6), layout="constrained")
    panels = figure.subplots(2, len(where), sharex=True, sharey=True)
    for row, (mode, title) in zip(panels, _TITLES.items(), strict=True):
        for axes, (name, accelerator) in zip(row, where.items(), strict=True):
            _draw_panel(axes, works, accelerator, mode)
            axes.set_title(name if mode == "strong" else "", fontsize=10)
        row[0].set_ylabel(f"efficiency,\n{title}", fontsize=9)
    for axes in panels[-1]:
        axes.set_xlabel("accelerators")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(works), frameon=False)
    figure.suptitle("Predicted, not measured: efficiency of a data-parallel step", fontsize=11)
    return figure


def _draw_panel(axes: Any, works: Mapping[str, Work], where: Accelerator, mode: str) -> None:
    for (name, work), colour in zip(works.items(), _COLOURS, strict=False):
        values = {n: efficiency(work, where, n, mode) for n in DEVICES}
        known = {n: value for n, value in values.items() if value is not None}
        axes.plot(list(known), list(known.values()), "o-", color=colour, ms=3, lw=1.3, label=name)
    axes.set(xscale="log", ylim=(0, 1.03), xticks=(1, 8, 64, 512))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:.0f}"))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(alpha=0.3)
