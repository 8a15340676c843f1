"""Stored seeds as the rows of a table."""

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments._records import Record, seeds_of
from ffnn_jax.config import Settings
from ffnn_jax.data import load
from ffnn_jax.network import Network

_LISTED = ("test_accuracy", "train_accuracy", "validation_accuracy", "confusion")
_OF_EACH = ("data_sha256", "versions", "device")


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
        parameters, floating-point operations of the whole training, the fastest seed's seconds of
        training, and the versions, devices and data digests that occur.
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
        "train_seconds": min(record["train_seconds"] for record in own),
        "settings": {key: value for key, value in first["settings"].items() if key != "seed"},
        **{name: _distinct(record[name] for record in own) for name in _OF_EACH},
    }


def _distinct(values: Iterable[Any]) -> list[Any]:
    """The values that occur, each once, in their order."""
    return [json.loads(text) for text in dict.fromkeys(json.dumps(value) for value in values)]


@functools.cache
def _image_shape(dataset: str) -> tuple[int, int, int]:
    return load(dataset, "test").image_shape
