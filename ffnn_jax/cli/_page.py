"""``ffnn-jax page``: the page of a run."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro


@dataclasses.dataclass(frozen=True)
class Page:
    """Write a run's page, page.html, from its saved results.

    Example: ffnn-jax page runs/quickstart-1
    """

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """Run folder written by train."""

    def __call__(self) -> int:
        """Writes the page and prints its path."""
        from ffnn_jax.runs import write_page

        print(write_page(self.run))
        return 0
