"""Blank figures for runs whose figures no test looks at: drawing them takes most of a short run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def blank_figures() -> Iterator[None]:
    """Every figure that is saved meanwhile is an empty one of the same format."""
    from matplotlib.figure import Figure  # tests without figures need not wait for it

    from ffnn_jax import reporting

    save = reporting.save_figure

    def save_blank(figure: Figure, path: Path) -> None:
        save(Figure(figsize=(0.5, 0.5)), path)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reporting, "save_figure", save_blank)
        yield
