"""What the seeds of each row reached: every accuracy, mean and standard deviation, and n."""

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from ffnn_jax.runs.sweeps._records import Record, seeds_of

HEADINGS = ("row", "n", "test accuracy", "validation accuracy", "median time")
_NAMES = ("test_accuracy", "validation_accuracy", "train_seconds")


def summary(records: Sequence[Record], rows: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The seeds of each row, their accuracies and training seconds, in the order of the seeds."""
    found = {row: seeds_of(records, row) for row in rows}
    return {
        row: {"seeds": [one["seed"] for one in own]}
        | {name: [one[name] for one in own] for name in _NAMES}
        for row, own in found.items()
    }


def table_rows(found: dict[str, dict[str, Any]]) -> list[list[str]]:
    """The cells of a table of these summaries, under ``HEADINGS``."""
    from ffnn_jax.reporting import spread_in_percent

    return [
        [
            row,
            str(len(one["seeds"])),
            *(spread_in_percent(one[name]) for name in _NAMES[:2]),
            f"{median(one['train_seconds']):.1f} s" if one["seeds"] else "–",
        ]
        for row, one in found.items()
    ]
