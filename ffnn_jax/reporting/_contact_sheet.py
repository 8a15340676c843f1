"""A data set at a glance: some images of each class, and how many there are."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, UInt8
from matplotlib.figure import Figure

from ffnn_jax.reporting._figures import Drawing
from ffnn_jax.reporting._labels import class_labels, escape

_INCHES = 0.55
_FEW, _MOST = 20, 200


def draw_contact_sheet(
    images: UInt8[np.ndarray, "N H W C"],
    labels: Int[np.ndarray, " N"],
    class_names: Sequence[str],
    title: str,
) -> Figure:
    """Draws the first images of each class, one row per class, with its name and count.

    Up to 20 classes are shown with ten images each; of more, the first 200 with three each, in
    columns.
    """
    names = class_labels(class_names[:_MOST])
    classes = len(names)
    per_class, columns = (10, 1) if classes <= _FEW else (3, 4)
    rows = -(-classes // columns)
    size = 1.5 * columns + columns * per_class * _INCHES, rows * _INCHES + 0.6
    figure = Drawing(figsize=size, layout="constrained")
    figure.suptitle(*escape([title]), fontsize=11)
    panels = figure.subplots(rows, columns, squeeze=False)
    for panel in panels.flat:
        panel.set_axis_off()
    for number, name in enumerate(names):
        panel = panels[number % rows, number // rows]
        chosen = np.flatnonzero(labels == number)
        panel.text(
            -0.01, 0.5, f"{name}\n{len(chosen):,}",
            transform=panel.transAxes, ha="right", va="center", fontsize=8,
        )  # fmt: skip
        strip = _strip(images[chosen[:per_class]], per_class)
        panel.imshow(strip, "gray_r", vmin=0, vmax=255, interpolation="nearest")
    return figure


def _strip(images: UInt8[np.ndarray, "n H W C"], count: int) -> np.ndarray:
    """Images side by side, separated by white lines; missing images are white."""
    channels = images.shape[-1]
    missing, line = (0, count - len(images)), (0, 1)
    blank = 255 if channels >= 3 else 0
    padded = np.pad(images, (missing, (0, 0), line, (0, 0)), constant_values=blank)
    strip = np.concatenate(padded, axis=1)[:, :-1]
    return strip if channels in (3, 4) else strip[..., 0]
