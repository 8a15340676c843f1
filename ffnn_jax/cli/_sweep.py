"""``ffnn-jax sweep``."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from ffnn_jax._errors import StopRequest
from ffnn_jax._signals import exit_on_signals, run_with_signals
from ffnn_jax.cli._files import require_writable
from ffnn_jax.cli._options import FILE, INTEGER, shown
from ffnn_jax.config import require_sweep, sweep_rows

_NAMES = shown("PRESET|FILE|RUN ...", "(required)")


@dataclasses.dataclass(frozen=True)
class Sweep:
    """Train seeds of several settings, one on each core, and compare what they reach.

    Example: ffnn-jax sweep cifar10-3 cifar10-4 --seeds 50
    """

    names: Annotated[tyro.conf.Positional[tuple[str, ...]], _NAMES]
    """Presets, settings files, sweep files (both .toml), and folders of runs."""

    seeds: Annotated[int | None, INTEGER, shown(None, "(default: a sweep file's, or 5)")] = None
    """Number of networks of each, from seed 0 on."""

    out: Annotated[Path | None, shown("DIR", "(default: runs/sweep-NAME)")] = None
    """Folder of the results; the sweep that is in it goes on."""

    scheduler: Annotated[str | None, shown("ADDRESS", "(default: this machine's cores)")] = None
    """Dask cluster whose workers train, as in tcp://10.0.0.1:8786."""

    json: Annotated[str | None, FILE] = None
    """Write each row's seeds and accuracies to FILE as JSON; - for standard output."""

    def __call__(self) -> int:
        """Runs the command; jax is imported only once the arguments are known to be valid."""
        found = sweep_rows(self.names, self.seeds)
        require_sweep("sweep")
        require_writable(self.json)
        name = "-".join(Path(word).stem for word in self.names)
        out = self.out or Path("runs", f"sweep-{name}")
        with exit_on_signals():
            from ffnn_jax.cli._sweep_run import sweep_and_print
        run_with_signals(StopRequest(), sweep_and_print, found, out, self.scheduler, self.json)
        return 0
