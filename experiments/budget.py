"""The best within the report's own budget: 80,000 training images seen, the same kinds of layers.

Report: no such row.
Command: python -m experiments.budget
Quick: python -m experiments.budget --quick, 1 candidate a row, 3 steps, results to runs/quick.

Needs the data set cifar10 (the quick setting needs none). Both rows train on the same 17,999
images as model 3 and see at most 80,000 of them (5,000 x 16): "own" is model 3's own network,
"wider" may have any widths within 4 times its operations. Every candidate that was ever tried is
in CANDIDATES and in the result. Each is trained with one seed; the best by validation go on to 3
seeds, and the best of these by their mean is trained with 20 and tested. No candidate sees a test
image.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments._quote import duration, percent, processor, quoted
from experiments._results import folder_for, run_command, write_result
from experiments._rows import Record, rows_of, seeds_of
from experiments._sweep import quickly, read_records, sweep
from ffnn_jax.config import Conv, Crop, Dense, Flip, Layer, MaxPool, ReLU, Settings, preset
from ffnn_jax.runs import device

SEEDS = 20
CANDIDATE_SEEDS = 3
FINALISTS = 3
IMAGES_SEEN = 80_000
TIMES_THE_OPERATIONS = 4
MODEL_3 = preset("cifar10-3")

Widths = tuple[int, int, int]
_OWN: Widths = (16, 16, 16)


def candidate(
    learning_rate: float,
    weight_decay: float = 0.001,
    batch_size: int = 16,
    momentum: float = 0.9,
    crop: int | None = None,
    widths: Widths = _OWN,
    conv: float = 1.0,
    dense: float = 1.0,
) -> Settings:
    """Model 3 on inputs of deviation 1, with a triangular schedule and flips.

    Args:
        learning_rate: its peak.
        weight_decay: as in ``Settings``, model 3's if not given.
        batch_size: images a step; the steps follow from the budget.
        momentum: as in ``Settings``.
        crop: padding of random crops, if there are any.
        widths: filters of the three convolutions.
        conv: what the convolutions' initial weights are multiplied by; 0.1 in model 3.
        dense: the same of the last layer.
    """
    return dataclasses.replace(
        MODEL_3,
        layers=_layers(widths, conv, dense),
        pixel_scale=1 / 255,
        normalisation="channel-mean-sd",
        augmentations=(Flip(), Crop(crop)) if crop else (Flip(),),
        schedule="triangular",
        steps=IMAGES_SEEN // batch_size,
        batch_size=batch_size,
        learning_rate=learning_rate,
        momentum=momentum,
        weight_decay=weight_decay,
    )


def _layers(widths: Widths, conv: float, dense: float) -> tuple[Layer, ...]:
    first, second, third = (Conv(width, 5, init_scale=conv) for width in widths)
    last = Dense(10, init_scale=dense)
    return (first, ReLU(), MaxPool(2), second, ReLU(), MaxPool(2), third, ReLU(), last)


CANDIDATES: dict[str, dict[str, Settings]] = {
    "own": {
        "rate 0.03": candidate(0.03),
        "rate 0.06": candidate(0.06),
        "rate 0.12": candidate(0.12),
        "rate 0.25": candidate(0.25),
        "rate 0.12, momentum 0.95": candidate(0.12, momentum=0.95),
        "rate 0.12, batch 32": candidate(0.12, batch_size=32),
        "rate 0.12, crop 2": candidate(0.12, crop=2),
        "rate 0.12, decay 0.005": candidate(0.12, 0.005),
        "rate 0.03, decay 0.005, batch 8": candidate(0.03, 0.005, batch_size=8),
        "rate 0.03, decay 0.005, momentum 0.5": candidate(0.03, 0.005, momentum=0.5),
        "rate 0.05, decay 0.01": candidate(0.05, 0.01),
        "rate 0.05, decay 0.005, momentum 0.97": candidate(0.05, 0.005, momentum=0.97),
        "rate 0.08, decay 0.005, batch 32": candidate(0.08, 0.005, batch_size=32),
        "rate 0.05, decay 0.005, conv 0.7, dense 0.3": candidate(0.05, 0.005, conv=0.7, dense=0.3),
        "rate 0.05, decay 0.005, conv 1.4, dense 0.3": candidate(0.05, 0.005, conv=1.4, dense=0.3),
        "rate 0.05, decay 0.005, dense 0.1": candidate(0.05, 0.005, dense=0.1),
        "rate 0.05, decay 0.005, momentum 0.95, dense 0.1": candidate(
            0.05, 0.005, momentum=0.95, dense=0.1
        ),
        "rate 0.08, decay 0.005, dense 0.1": candidate(0.08, 0.005, dense=0.1),
        "rate 0.03, decay 0.005, batch 8, momentum 0.95, dense 0.1": candidate(
            0.03, 0.005, 8, 0.95, dense=0.1
        ),
        "rate 0.05, decay 0.008, dense 0.1": candidate(0.05, 0.008, dense=0.1),
        "rate 0.05, decay 0.005, crop 1, dense 0.1": candidate(0.05, 0.005, crop=1, dense=0.1),
    },
    "wider": {
        "32-32-64": candidate(0.05, 0.005, widths=(32, 32, 64), dense=0.1),
        "24-32-96": candidate(0.05, 0.005, widths=(24, 32, 96), dense=0.1),
        "32-32-64, crop 2": candidate(0.05, 0.005, crop=2, widths=(32, 32, 64), dense=0.1),
        "24-32-96, crop 2": candidate(0.05, 0.005, crop=2, widths=(24, 32, 96), dense=0.1),
        "32-32-64, crop 2, decay 0.008": candidate(
            0.05, 0.008, crop=2, widths=(32, 32, 64), dense=0.1
        ),
    },
}


def main(seeds: int = SEEDS, quick: bool = False) -> None:
    """The best within the report's own budget, chosen by validation, tested once.

    Args:
        seeds: networks of each row that is tested, from seed 0 on.
        quick: 1 candidate and 1 seed a row, 3 steps on mnist_5k, to see it work.
    """
    folder = folder_for(quick)
    path, few = folder / "budget.jsonl", 1 if quick else CANDIDATE_SEEDS
    tried, seeds = (_first(CANDIDATES), 1) if quick else (CANDIDATES, seeds)
    chosen = {row: _choose(row, some, path, few) for row, some in tried.items()}
    sweep({row: tried[row][name] for row, name in chosen.items()}, range(seeds), path)
    result = table(read_records(path), tried, chosen, quick)
    write_result(folder / "budget.json", result)
    for row, name in chosen.items():
        print(f"{row}, {name}: test accuracy {quoted(result['rows'][row]['test_accuracy'])}")


def table(
    records: Sequence[Record],
    tried: Mapping[str, Mapping[str, Settings]],
    chosen: Mapping[str, str],
    quick: bool,
) -> dict[str, Any]:
    """The result: every candidate with its validation accuracies, and the rows that were tested."""
    candidates = {
        row: {name: _validated(records, f"{row}: {name}") for name in some}
        for row, some in tried.items()
    }
    return {
        "quick": quick,
        "chosen": dict(chosen),
        "candidates": candidates,
        "rows": rows_of(records, tried, {}),
        "device": device(),
    }


def header(result: dict[str, Any]) -> str:
    """What this file says of itself."""
    rows, where = result["rows"], processor(result["device"], 1)
    return "".join(
        [
            "Report: no such row; its best model has 0.56, after twice as many images.\n",
            *(f"Ours, {row}: {quoted(one['test_accuracy'])}.\n" for row, one in rows.items()),
            *(f"Time, {row}: {duration(one['train_seconds'], where)}.\n"
              for row, one in rows.items()),
        ]
    )  # fmt: skip


def section(result: dict[str, Any]) -> str:
    """The two rows, and every candidate behind them, in Markdown."""
    rows = "".join(
        f"| {row}: {result['chosen'][row]} | {one['parameters']:,} "
        f"| {one['training_flops'] / 1e9:,.0f} | {percent(one['validation_accuracy'])} "
        f"| {percent(one['test_accuracy'])} | {len(one['seeds'])} | {one['train_seconds']:.0f} |\n"
        for row, one in result["rows"].items()
    )
    candidates = "".join(
        f"| {row} | {name} | {100 * np.mean(one['validation_accuracy']):.1f} "
        f"| {100 * np.mean(one['train_accuracy']):.1f} | {len(one['seeds'])} |\n"
        for row, some in result["candidates"].items()
        for name, one in sorted(
            some.items(), key=lambda item: -float(np.mean(item[1]["validation_accuracy"]))
        )
    )
    return f"""At most {IMAGES_SEEN:,} training images are seen. Both rows have inputs of \
deviation 1, flips, a triangular schedule, and convolutions that start without the factor 0.1. \
"own" is model 3's network, "wider" has other widths within {TIMES_THE_OPERATIONS} times its \
operations.

| row | parameters | GFLOPs of training | validation, % | test accuracy, % | n | s a seed |
| --- | ---: | ---: | --- | --- | --- | ---: |
{rows}
Chosen by validation; no candidate saw a test image. Each had one seed, the best {FINALISTS} of a \
row {CANDIDATE_SEEDS}, and the best of these by their mean was trained with the row's n seeds.

<details><summary>Every candidate</summary>

| row | candidate | validation, % | training, % | n |
| --- | --- | --- | --- | --- |
{candidates}
</details>
"""


def _choose(row: str, candidates: Mapping[str, Settings], path: Path, seeds: int) -> str:
    """Trains every candidate with one seed, the best with more; returns the best of these."""
    named = {f"{row}: {name}": settings for name, settings in candidates.items()}
    sweep(named, range(1), path, tested=False)
    finalists = sorted(named, key=lambda name: -_mean(path, name))[:FINALISTS]
    sweep({name: named[name] for name in finalists}, range(seeds), path, tested=False)
    best = max(finalists, key=lambda name: _mean(path, name))
    return best.removeprefix(f"{row}: ")


def _mean(path: Path, name: str) -> float:
    """The mean validation accuracy of a candidate's seeds so far."""
    found = seeds_of(read_records(path), name)
    return float(np.mean([record["validation_accuracy"] for record in found]))


def _validated(records: Sequence[Record], name: str) -> dict[str, Any]:
    own = seeds_of(records, name)
    listed = ("validation_accuracy", "train_accuracy")
    return {
        "seeds": [record["seed"] for record in own],
        **{key: [record[key] for record in own] for key in listed},
        "settings": {key: value for key, value in own[0]["settings"].items() if key != "seed"},
    }


def _first(tried: Mapping[str, Mapping[str, Settings]]) -> dict[str, dict[str, Settings]]:
    """The first candidate of each row, in three steps."""
    first = {row: next(iter(some.items())) for row, some in tried.items()}
    return {row: {name: quickly(settings)} for row, (name, settings) in first.items()}


if __name__ == "__main__":
    run_command(main)
