"""The cost of checkpoints: their share of a run's time at the default interval.

Command: python -m experiments.saving
Quick: python -m experiments.saving --quick, 20 steps, results to runs/quick.

Random images stand in for a data set. Each round trains the report's networks from scratch; timed
is everything the run does to save itself, from copying the state off the device to the file.
"""

import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from experiments._machine import provenance, require_quiet
from experiments._results import folder_for, run_command, write_result
from ffnn_jax.config import Settings, Validation, preset
from ffnn_jax.data import Dataset, Splits
from ffnn_jax.runs import CHECKPOINT_INTERVAL, CheckpointManager, compute
from ffnn_jax.training import Snapshot

_SHAPES = {"mnist": (28, 28, 1), "cifar10-0": (32, 32, 3), "cifar10-3": (32, 32, 3)}
_ROUNDS, _STEPS = 3, 3000


class _TimedCheckpointManager(CheckpointManager):
    """A checkpoint manager that adds up the seconds it takes."""

    seconds = 0.0

    def on_begin(self, fresh: Snapshot) -> Snapshot:
        began = time.perf_counter()
        start = super().on_begin(fresh)
        self.seconds += time.perf_counter() - began
        return start

    def on_stop(self, step: int, steps: int, snapshot: Callable[[], Snapshot]) -> None:
        began = time.perf_counter()
        super().on_stop(step, steps, snapshot)
        self.seconds += time.perf_counter() - began


def main(quick: bool = False) -> None:
    """The cost of checkpoints.

    Args:
        quick: smoke test with a few steps.
    """
    result = measure(quick)
    write_result(folder_for(quick) / "saving.json", result)
    for name, row in result["rows"].items():
        print(f"{name}: {saving_line(row)}")


def measure(quick: bool) -> dict[str, Any]:
    """Trains each network several times.

    Raises:
        UserError: other programs keep the machine busy.
    """
    if not quick:
        require_quiet()
    steps, rounds = (20, 1) if quick else (_STEPS, _ROUNDS)
    rows = {name: _row([_share(name, steps) for _ in range(rounds)]) for name in _SHAPES}
    return {**provenance(quick), "steps": steps, "every": CHECKPOINT_INTERVAL, "rows": rows}


def saving_line(row: dict[str, Any]) -> str:
    """The share in percent."""
    return f"{100 * row['median']:.2f} % of the run"


def _row(shares: list[float]) -> dict[str, Any]:
    return {"shares": [round(one, 5) for one in shares], "median": statistics.median(shares)}


def _share(name: str, steps: int) -> float:
    """Seconds of saving over seconds of training, which include saving."""
    settings = dataclasses.replace(
        preset(name), steps=steps, seeds=1, validation=Validation("drawn", 100)
    )
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = _TimedCheckpointManager(Path(folder))
        trained = compute(settings, _random(settings, _SHAPES[name]), callbacks=checkpoints)
    return checkpoints.seconds / trained.trained.train_seconds


def _random(settings: Settings, shape: tuple[int, int, int]) -> Splits:
    """Noise images in ten classes."""
    generator = np.random.default_rng(0)

    def images(count: int) -> Dataset:
        pixels = generator.integers(0, 256, (count, *shape), np.uint8)
        labels = generator.integers(0, 10, count, np.int32)
        return Dataset(settings.dataset, pixels, labels, tuple("0123456789"))

    return Splits(images(1000), None, images(100))


if __name__ == "__main__":
    run_command(main)
