"""Trains many seeds of a preset, a few at a time: ``python -m experiments._ladder_run NAME N``.

Prints a line of JSON for each few seeds, so that what has run is kept whatever comes after. Needs
the preset's data set. A third argument is the precision, float32 by default.
"""

import dataclasses
import json
import statistics
import sys
import time
from typing import Any

from ffnn_jax.config import preset
from ffnn_jax.data import load_splits
from ffnn_jax.models import Model
from ffnn_jax.runs import RunResult, compute, enable_compilation_cache

_AT_A_TIME = 5


def main(name: str, seeds: int, precision: str = "float32") -> None:
    """Trains the seeds and prints their accuracies and times."""
    enable_compilation_cache()
    base = dataclasses.replace(preset(name), precision=precision)
    splits = load_splits(base.dataset)
    for first in range(0, seeds, _AT_A_TIME):
        count = min(_AT_A_TIME, seeds - first)
        result = compute(dataclasses.replace(base, seed=first, seeds=count), splits)
        print(json.dumps(_figures(result)), flush=True)


def read_lines(output: str) -> dict[str, Any]:
    """The figures of all lines that ``main`` printed.

    Raises:
        ValueError: there is none.
    """
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    if not lines:
        raise ValueError("no seed came to its end")
    lists = ("test_accuracy", "plain_test_accuracy", "train_seconds", "classify_seconds")
    joined = {name: [value for line in lines for value in line[name]] for name in lists}
    return {**lines[0], **joined, "seeds": len(joined["test_accuracy"])}


def _figures(result: RunResult) -> dict[str, Any]:
    settings, models = result.settings, result.models
    return {
        "preset": settings.preset,
        "precision": settings.precision,
        "views": settings.views,
        "test_accuracy": result.test_accuracy,
        "plain_test_accuracy": [_plain_accuracy(result, model) for model in models],
        "train_seconds": [result.trained.train_seconds / len(models)] * len(models),
        "classify_seconds": [_classify_seconds(result, model) for model in models],
        "compile_seconds": result.trained.compile_seconds,
    }


def _plain_accuracy(result: RunResult, model: Model) -> float:
    test = result.splits.test
    plain = dataclasses.replace(model, views="one")
    return statistics.mean((plain.predict(test.images) == test.labels).tolist())


def _classify_seconds(result: RunResult, model: Model) -> float:
    began = time.perf_counter()
    model.probabilities(result.splits.test.images)
    return time.perf_counter() - began


if __name__ == "__main__":
    name, seeds, *precision = sys.argv[1:]
    main(name, int(seeds), *precision)
