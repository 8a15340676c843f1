"""Stored seeds as the rows of a table."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ffnn_jax.config import Settings
from ffnn_jax.data import load
from ffnn_jax.network import Network

Record = dict[str, Any]
_LISTED = ("test_accuracy", "train_accuracy", "validation_accuracy", "confusion")
_COMMON = ("data_sha256", "versions", "device")


def seeds_of(records: Iterable[Record], row: str) -> list[Record]:
    """The stored seeds of a row, in the order of the seeds."""
    return sorted((r for r in records if r["row"] == row), key=lambda record: record["seed"])


def rows_of(
    records: Sequence[Record], names: Iterable[str], report: Mapping[str, float]
) -> dict[str, dict[str, Any]]:
    """The rows that have a stored seed.

    Args:
        records: stored seeds.
        names: rows, in the order of the table.
        report: what the report found, where it has the row.

    Returns:
        By row: the report's accuracy or None, seeds, their accuracies and confusions, settings,
        parameters, floating-point operations of the whole training, median seconds of training.
    """
    return {name: _row(own, report.get(name)) for name in names if (own := seeds_of(records, name))}


def training_flops(settings: Settings, image_shape: tuple[int, int, int]) -> int:
    """Floating-point operations of a whole training run, as ``Network.summary`` counts them."""
    summary = Network(settings.layers, image_shape).summary()
    images = settings.steps * settings.batch_size
    return images * (summary.forward_flops + summary.backward_flops)


def _row(own: list[Record], report: float | None) -> dict[str, Any]:
    first = own[0]
    settings = Settings.from_json(first["settings"])
    return {
        "report": report,
        "seeds": [record["seed"] for record in own],
        **{name: [record[name] for record in own] for name in _LISTED if name in first},
        "parameters": first["parameters"],
        "training_flops": training_flops(settings, _image_shape(settings.dataset)),
        "train_seconds": float(np.median([record["train_seconds"] for record in own])),
        "settings": {key: value for key, value in first["settings"].items() if key != "seed"},
        **{name: first[name] for name in _COMMON},
    }


@functools.cache
def _image_shape(dataset: str) -> tuple[int, int, int]:
    return load(dataset, "test").image_shape
