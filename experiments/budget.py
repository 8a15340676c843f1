"""The best within the report's budget: 80,000 training images seen, the same kinds of layers.

Report: no such row; its best run, 0.56, saw twice as many images.
Ours, own: 0.6317 +- 0.0062 (mean +- sd, n = 20).
Ours, wider: 0.6872 +- 0.0044 (mean +- sd, n = 20).
Time, own: 30 s on 1 core of AMD EPYC.
Time, wider: 81 s on 1 core of AMD EPYC.

Command: python -m experiments.budget
Quick: python -m experiments.budget --quick, 1 candidate a row, 3 steps, results to runs/quick.

Needs the data set cifar10 (the quick setting needs none). Both rows train on the same 17,999
images as model 3 and see at most 80,000 of them (5,000 x 16): "own" is model 3's own network,
"wider" may have any widths within 4 times its operations. Every candidate ever tried is listed
below and in the result. Each is trained with one seed; the best by validation advance to 3 seeds,
and the best of these by their mean is trained with 20 and tested. No candidate sees a test image.
The stored numbers were computed when convolutions used im2col and batches were not split; the
current rules round in a different order. If results/budget.jsonl is moved away, every candidate is
trained under the current rules and the rows are chosen again, by validation only.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments._formatting import mean_and_sd, percent, time_of_row
from experiments._quick import quick_settings
from experiments._results import folder_for, run_command, write_result
from experiments._table_rows import rows_of
from ffnn_jax.config import Crop, Flip, Settings, UserError, preset
from ffnn_jax.nn import Conv, Dense, Layer, MaxPool, ReLU
from ffnn_jax.runs.sweeps import Record, read_records, seeds_of, sweep

SEEDS = 20
CANDIDATE_SEEDS = 3
FINALISTS = 3
IMAGES_SEEN = 80_000
TIMES_THE_OPERATIONS = 4
AIMS = {"own": 0.63, "wider": 0.70}
MODEL_3 = preset("cifar10-3")

Widths = tuple[int, int, int]
_OWN: Widths = (16, 16, 16)
# Does not apply to a fresh run, which uses the current rules and trains CANDIDATES only.
_NOTE_ON_STORED_RESULTS = (
    "Candidates with another weight decay were tried before it was noticed that the budget "
    "prescribes it, and were not eligible. These numbers were computed when convolutions used "
    "im2col and batches were not split; the current rules round in a different order."
)


def candidate(
    learning_rate: float,
    batch_size: int = 16,
    momentum: float = 0.9,
    crop: int = 0,
    widths: Widths = _OWN,
    conv: float = 1.0,
    dense: float = 1.0,
    weight_decay: float = MODEL_3.weight_decay,
) -> Settings:
    """Model 3 on inputs of standard deviation 1, with a triangular schedule and flips.

    Args:
        learning_rate: the schedule's peak.
        batch_size: images per step; the number of steps follows from the budget.
        momentum: as in ``Settings``.
        crop: padding of random crops; 0 for none.
        widths: numbers of filters of the three convolutions.
        conv: scale of the convolutions' initial weights; 0.1 in model 3.
        dense: scale of the last layer's initial weights.
        weight_decay: as in ``Settings``; model 3's by default.
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
        "rate 0.03, dense 0.1": candidate(0.03, dense=0.1),
        "rate 0.05, dense 0.1": candidate(0.05, dense=0.1),
        "rate 0.05, dense 0.1, crop 1": candidate(0.05, dense=0.1, crop=1),
        "rate 0.03, dense 0.1, batch 8": candidate(0.03, dense=0.1, batch_size=8),
        "rate 0.05, dense 0.1, momentum 0.97": candidate(0.05, dense=0.1, momentum=0.97),
    },
    "wider": {
        "32-32-64, rate 0.05, dense 0.1, crop 2": candidate(
            0.05, dense=0.1, crop=2, widths=(32, 32, 64)
        ),
        "32-32-64, rate 0.03, dense 0.1, crop 2": candidate(
            0.03, dense=0.1, crop=2, widths=(32, 32, 64)
        ),
        "24-32-96, rate 0.05, dense 0.1, crop 2": candidate(
            0.05, dense=0.1, crop=2, widths=(24, 32, 96)
        ),
        "32-32-64, rate 0.05, dense 0.1, crop 4": candidate(
            0.05, dense=0.1, crop=4, widths=(32, 32, 64)
        ),
    },
}
# Tried with one seed before it was noticed that the budget prescribes model 3's weight decay, so
# not eligible. The first three numbers are the rate, the decay and the batch size.
NOT_ELIGIBLE: dict[str, dict[str, Settings]] = {
    "own": {
        f"decay {decay}, rate {rate}, batch {size}, momentum {mu}, conv {conv}, dense {dense}": (
            candidate(rate, size, mu, conv=conv, dense=dense, weight_decay=decay)
        )
        for rate, decay, size, mu, conv, dense in (
            (0.12, 0.005, 16, 0.9, 1.0, 1.0),
            (0.03, 0.005, 8, 0.9, 1.0, 1.0),
            (0.03, 0.005, 16, 0.5, 1.0, 1.0),
            (0.05, 0.01, 16, 0.9, 1.0, 1.0),
            (0.05, 0.005, 16, 0.97, 1.0, 1.0),
            (0.08, 0.005, 32, 0.9, 1.0, 1.0),
            (0.05, 0.005, 16, 0.9, 0.7, 0.3),
            (0.05, 0.005, 16, 0.9, 1.4, 0.3),
            (0.05, 0.005, 16, 0.9, 1.0, 0.1),
            (0.05, 0.005, 16, 0.95, 1.0, 0.1),
            (0.08, 0.005, 16, 0.9, 1.0, 0.1),
            (0.03, 0.005, 8, 0.95, 1.0, 0.1),
        )
    },
    "wider": {
        f"decay 0.005, {first}-{second}-{third}, crop {crop}": candidate(
            0.05, crop=crop, widths=(first, second, third), dense=0.1, weight_decay=0.005
        )
        for first, second, third, crop in ((32, 32, 64, 0), (24, 32, 96, 0), (32, 32, 64, 2))
    },
}


def main(quick: bool = False) -> None:
    """The best within the report's budget, chosen by validation, tested once.

    Args:
        quick: smoke test: 1 candidate and 2 seeds per row, 3 steps on mnist_5k.
    """
    folder = folder_for(quick)
    path, candidate_seeds = folder / "budget.jsonl", 1 if quick else CANDIDATE_SEEDS
    tried, seeds = (_quick_candidates(CANDIDATES), 2) if quick else (CANDIDATES, SEEDS)
    chosen = choose(tried, path, candidate_seeds)
    tested = {tested_name(row, name): tried[row][name] for row, name in chosen.items()}
    require_one_test(tested, read_records(path))
    sweep(tested, range(seeds), path)
    result = table(read_records(path), chosen, quick)
    write_result(folder / "budget.json", result)
    for row, name in chosen.items():
        print(f"{row}, {name}: test accuracy {mean_and_sd(result['rows'][row]['test_accuracy'])}")


def choose(tried: Mapping[str, Mapping[str, Settings]], path: Path, seeds: int) -> dict[str, str]:
    """Trains every candidate with seed 0, each row's best with more seeds; returns the winners."""
    candidates = {
        f"{row}: {name}": candidates_of_row[name]
        for row, candidates_of_row in tried.items()
        for name in candidates_of_row
    }
    sweep(candidates, range(1), path, tested=False)
    first = _means(path, 1)
    finalists = {
        row: sorted(candidates_of_row, key=lambda name: -first[f"{row}: {name}"])[:FINALISTS]
        for row, candidates_of_row in tried.items()
    }
    selected = [f"{row}: {name}" for row, names in finalists.items() for name in names]
    sweep({name: candidates[name] for name in selected}, range(seeds), path, tested=False)
    means = _means(path, seeds)
    return {
        row: max(names, key=lambda name: means[f"{row}: {name}"])
        for row, names in finalists.items()
    }


def tested_name(row: str, name: str) -> str:
    """The row under which the chosen candidate's tested seeds are stored."""
    return f"{row}, tested: {name}"


def require_one_test(tested: Iterable[str], records: Iterable[Record]) -> None:
    """Rejects testing a second candidate of a row: the test images are read for only one.

    Raises:
        UserError: another candidate was tested.
    """
    for record in records:
        if "test_accuracy" in record and record["row"] not in tested:
            raise UserError(f"budget.jsonl has {record['row']!r}: the test set is read once")


def table(records: Sequence[Record], chosen: Mapping[str, str], quick: bool) -> dict[str, Any]:
    """The result: every candidate with its validation accuracies, and the tested rows."""
    names = {row: tested_name(row, name) for row, name in chosen.items()}
    rows = rows_of(records, names.values(), {})
    validated = [record for record in records if "test_accuracy" not in record]
    candidates: dict[str, dict[str, Any]] = {row: {} for row in chosen}
    for full in dict.fromkeys(record["row"] for record in validated):
        row, _, name = full.partition(": ")
        candidates[row][name] = _validated(seeds_of(validated, full))
    return {
        "quick": quick,
        "chosen": dict(chosen),
        "candidates": candidates,
        "rows": {row: rows[name] for row, name in names.items()},
    }


def header(result: dict[str, Any]) -> str:
    """The result lines of this module's docstring."""
    rows = result["rows"].items()
    return "".join(
        [
            "Report: no such row; its best run, 0.56, saw twice as many images.\n",
            *(
                f"Ours, {row}: {mean_and_sd(result_of_row['test_accuracy'])}.\n"
                for row, result_of_row in rows
            ),
            *(f"Time, {row}: {time_of_row(result_of_row)}.\n" for row, result_of_row in rows),
        ]
    )


def verdict(row: str, accuracies: Sequence[float]) -> str:
    """A phrase on whether the aim was reached."""
    short = 100 * (AIMS[row] - float(np.mean(accuracies)))
    reached = f"missed by {short:.1f} points" if short > 0 else "reached"
    return f"aim of {100 * AIMS[row]:.0f} %: {reached}"


def section(result: dict[str, Any]) -> str:
    """The two rows and all their candidates, in Markdown."""
    rows = "".join(
        f"| {row} | {result['chosen'][row]} | {one['parameters']:,} "
        f"| {one['training_flops'] / 1e12:.2f} | {percent(one['validation_accuracy'])} "
        f"| {percent(one['test_accuracy'])} | {verdict(row, one['test_accuracy'])} "
        f"| {len(one['seeds'])} | {one['train_seconds']:.0f} |\n"
        for row, one in result["rows"].items()
    )
    candidates = "".join(
        _candidate_line(row, name, one)
        for row, some in result["candidates"].items()
        for name, one in sorted(some.items(), key=lambda item: -_mean_validation(item[1]))
    )
    return f"""At most {IMAGES_SEEN:,} training images are seen, all from model 3's training set. \
"own" is its network; "wider" has other widths within {TIMES_THE_OPERATIONS} times its operations. \
Both take inputs of mean 0 and standard deviation 1, flip half of the images, and train with \
momentum 0.9, model 3's weight decay and a learning rate that rises to the stated one over a fifth \
of the steps and then falls to 0. Initial weights are normal / sqrt(fan_in / 2), scaled by "dense" \
in the last layer and by "conv" in the convolutions; both are 1 unless stated.

| row | chosen | parameters | training, 10^12 operations | validation, % | test accuracy, % | aim \
| n | s per seed |
| --- | --- | ---: | ---: | --- | --- | --- | ---: | ---: |
{rows}
Chosen by validation; no candidate saw a test image. Each was trained with seed 0, the best \
{FINALISTS} of each row with {CANDIDATE_SEEDS} seeds, and the best of these by their mean with the \
row's n seeds, which the validation column averages. {_NOTE_ON_STORED_RESULTS}

<details><summary>Every candidate</summary>

| row | candidate | validation, % | training, % | n |
| --- | --- | --- | --- | --- |
{candidates}
</details>
"""


def _candidate_line(row: str, name: str, one: Mapping[str, Any]) -> str:
    trained = 100 * np.mean(one["train_accuracy"])
    validated = f"{100 * _mean_validation(one):.1f} | {trained:.1f}"
    return f"| {row} | {name} | {validated} | {len(one['seeds'])} |\n"


def _mean_validation(one: Mapping[str, Any]) -> float:
    return float(np.mean(one["validation_accuracy"]))


def _means(path: Path, seeds: int) -> dict[str, float]:
    """Each candidate's mean validation accuracy over its first seeds."""
    accuracies: dict[str, list[float]] = {}
    for record in read_records(path):
        if record["seed"] < seeds:
            accuracies.setdefault(record["row"], []).append(record["validation_accuracy"])
    return {row: float(np.mean(values)) for row, values in accuracies.items()}


def _validated(records: Sequence[Record]) -> dict[str, Any]:
    fields = ("validation_accuracy", "train_accuracy")
    return {
        "seeds": [record["seed"] for record in records],
        **{key: [record[key] for record in records] for key in fields},
        "settings": {key: value for key, value in records[0]["settings"].items() if key != "seed"},
    }


def _quick_candidates(
    tried: Mapping[str, Mapping[str, Settings]],
) -> dict[str, dict[str, Settings]]:
    """The first candidate of each row, with three steps."""
    first = {row: next(iter(some.items())) for row, some in tried.items()}
    return {row: {name: quick_settings(settings)} for row, (name, settings) in first.items()}


if __name__ == "__main__":
    run_command(main)
