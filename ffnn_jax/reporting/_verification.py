"""What the checks of rules found: a figure of one error.

The results are those of ``ffnn_jax.verify``, which is not imported, since it needs jax.
"""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ffnn_jax.reporting._figures import _BLUE, _GREY, _ORANGE, Drawing
from ffnn_jax.reporting._labels import escape

_ARRAYS = 3


def draw_verification(result: Any) -> Figure:
    """The error of up to three arrays that fail: got against expected, and the error by entry.

    An array that fails several checks is drawn once, as in the first of them. Entries that are not
    finite have no point, and are grey in the image. A result without an error is a ValueError.
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
