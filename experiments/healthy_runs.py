"""Whether a run that learnt nothing says so, and a healthy one does not.

Command: python -m experiments.healthy_runs
Quick: python -m experiments.healthy_runs --quick, 2 seeds of one preset, results to runs/quick.
It can be stopped at any time, and then goes on with the rows that are not stored.

200 short runs of presets, which learn, should be without a warning; runs that were made sick in
four ways should each have one. Every seed is a run of its own, on the first images of its data set.
"""

import dataclasses
import functools
from collections.abc import Callable, Container
from typing import Any

import numpy as np

from experiments._machine import provenance
from experiments._results import folder_for, read_result, run_command, write_result
from ffnn_jax.config import Settings, Validation, preset
from ffnn_jax.data import Dataset, Splits, load
from ffnn_jax.nn import Constant, Conv, Param, Shape, Tree
from ffnn_jax.runs import RunResult, compute

HEALTHY = {
    "quickstart": (40, 140), "cifar10-0": (200, 20), "cifar10-3": (200, 20), "cifar10-7": (200, 20),
}  # fmt: skip
"""Steps and seeds of each preset."""
_SICK_SEEDS, _SICK_STEPS = 5, 50


@dataclasses.dataclass(frozen=True)
class DeadConv(Conv):
    """A convolution whose biases are so low that the ReLU after it is dead."""

    def weights(self, shape: Shape) -> Tree:
        """Biases of -100."""
        return super().weights(shape) | {"b": Param(shape[-1:], Constant(-100.0))}


def main(quick: bool = False) -> None:
    """The warnings of healthy and of sick runs.

    Args:
        quick: smoke test: two seeds of one preset, one of each sickness.
    """
    path = folder_for(quick) / "healthy_runs.json"
    result = read_result(path) if path.exists() and not quick else provenance(quick) | {"rows": {}}
    for name, make in _rows(quick).items():
        if name not in result["rows"]:
            result["rows"][name] = _row(make())
            write_result(path, result)
    print(healthy_line(result))


def healthy_line(result: dict[str, Any]) -> str:
    """How many runs of either kind had a warning."""
    (healthy, false), (sick, right) = _counted(result, HEALTHY), _counted(result, _SICK)
    kinds = f"({', '.join(_SICK)})"
    return f"{false} of {healthy} healthy short runs had one, {right} of {sick} sick runs {kinds}"


def _counted(result: dict[str, Any], names: Container[str]) -> tuple[int, int]:
    """The numbers of runs and of warnings in these rows."""
    rows = [row for name, row in result["rows"].items() if name in names]
    return sum(len(row["test_accuracy"]) for row in rows), sum(len(row["warnings"]) for row in rows)


def _rows(quick: bool) -> dict[str, Callable[[], RunResult]]:
    """How each row of the result is made."""
    presets, sick = (("quickstart",), 1) if quick else (tuple(HEALTHY), _SICK_SEEDS)
    healthy = {name: functools.partial(_healthy, name, 2 if quick else None) for name in presets}
    return {name: functools.partial(run, sick) for name, run in _SICK.items()} | healthy


def _healthy(name: str, seeds: int | None) -> RunResult:
    steps, all_seeds = HEALTHY[name]
    return _computed(dataclasses.replace(preset(name), steps=steps, seeds=seeds or all_seeds))


def _sick(seeds: int, **changes: Any) -> RunResult:
    quickstart = dataclasses.replace(preset("quickstart"), steps=_SICK_STEPS, seeds=seeds)
    return _computed(dataclasses.replace(quickstart, **changes))


def _shuffled(seeds: int) -> RunResult:
    settings = dataclasses.replace(preset("quickstart"), steps=_SICK_STEPS, seeds=seeds)
    splits = _splits(settings)
    labels = np.random.default_rng(0).permutation(splits.train.labels)
    train = dataclasses.replace(splits.train, labels=labels)
    return _computed(settings, splits._replace(train=train))


def _dead(seeds: int) -> RunResult:
    layers = preset("quickstart").layers
    return _sick(seeds, layers=(*layers[:3], DeadConv(16, 5), *layers[4:]))


_SICK = {
    "learning rate 20": functools.partial(_sick, learning_rate=20.0),
    "learning rate 1e-30": functools.partial(_sick, learning_rate=1e-30),
    "shuffled labels": _shuffled,
    "dead ReLU": _dead,
}


def _computed(settings: Settings, splits: Splits | None = None) -> RunResult:
    """The run, with validation at a quarter of its steps."""
    every = dataclasses.replace(
        settings, validation_interval=settings.steps // 4, validation=Validation("drawn", 400)
    )
    return compute(every, splits or _splits(settings))


def _splits(settings: Settings) -> Splits:
    """The first images of a data set: classifying all of CIFAR-10 takes longer than a short run."""

    def first(split: str, count: int) -> Dataset:
        return load(settings.dataset, f"{split}[:{count}]")

    return Splits(first("train", 2000), None, first("test", 500))


def _row(result: RunResult) -> dict[str, Any]:
    return {
        "steps": result.settings.steps,
        "test_accuracy": result.test_accuracy,
        "warnings": result.warnings,
    }


if __name__ == "__main__":
    run_command(main)
