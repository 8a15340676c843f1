"""Stored seeds as table rows."""

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ffnn_jax.config import Settings, UserError
from ffnn_jax.data import load
from ffnn_jax.network import Network
from ffnn_jax.runs.sweeps import Record, read_records, seeds_of

_PER_SEED_FIELDS = (
    "test_accuracy", "plain_test_accuracy", "train_accuracy", "validation_accuracy", "confusion",
)  # fmt: skip
_DISTINCT_FIELDS = ("data_sha256", "versions", "device")


def rows_of(
    records: Sequence[Record], names: Iterable[str], report: Mapping[str, float]
) -> dict[str, dict[str, Any]]:
    """The rows that have stored seeds.

    Args:
        records: stored seeds.
        names: row names, in table order.
        report: the report's accuracies, for the rows that it has.

    Returns:
        For each row: the report's accuracy or None, seeds, their accuracies and confusion
        matrices, settings, parameters, floating-point operations of a training run, the fastest
        seed's training seconds, and the distinct versions, devices and data digests.
    """
    return {name: _row(own, report.get(name)) for name in names if (own := seeds_of(records, name))}


def seeds_of_model_3(path: Path, fewest: int) -> list[Record]:
    """The stored seeds of model 3.

    Raises:
        UserError: there are fewer than ``fewest``.
    """
    records = seeds_of(read_records(path), "3")
    if len(records) < fewest:
        raise UserError(
            f"model 3 has {len(records)} stored seeds, needs {fewest}: run table_3 first"
        )
    return records


def training_flops(settings: Settings, image_shape: tuple[int, int, int]) -> int:
    """Floating-point operations of a whole training run, as ``Network.summary`` counts them."""
    summary = Network(settings.layers, image_shape).summary()
    images = settings.steps * settings.batch_size
    return images * (summary.forward_flops + summary.backward_flops)


def _row(records: list[Record], report: float | None) -> dict[str, Any]:
    first = records[0]
    settings = Settings.from_json(first["settings"])
    return {
        "report": report,
        "seeds": [record["seed"] for record in records],
        **{
            name: [record[name] for record in records] for name in _PER_SEED_FIELDS if name in first
        },
        "parameters": first["parameters"],
        "training_flops": training_flops(settings, _image_shape(settings.dataset)),
        "train_seconds": min(record["train_seconds"] for record in records),
        "settings": {key: value for key, value in first["settings"].items() if key != "seed"},
        **{name: _distinct(record[name] for record in records) for name in _DISTINCT_FIELDS},
    }


def _distinct(values: Iterable[Any]) -> list[Any]:
    """The distinct values, in order of first occurrence."""
    return [json.loads(text) for text in dict.fromkeys(json.dumps(value) for value in values)]


@functools.cache
def _image_shape(dataset: str) -> tuple[int, int, int]:
    return load(dataset, "test").image_shape
