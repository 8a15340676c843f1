"""From the report's networks to 94 %: accuracy against processor time, rung by rung.

Command: python -m experiments.ladder
Some rungs, some seeds: python -m experiments.ladder cifar10-minute --seeds 3
Quick: python -m experiments.ladder --quick, 2 seeds of 1 rung, 3 steps, results to runs/quick.

Needs the data sets cifar10 and mnist (the quick setting needs none). The rungs are presets; each
seed trains on all training images on one core, is tested with the views of its preset and with one,
and is stored as soon as it has ended, so that the command can be stopped at any time and goes on
where it stopped. Their settings are those of the record, or were chosen by the last 5,000 training
images with ``--select``, which trains on the others, tries the changes that this file lists (four
of them on every rung but the first) and reads no test image. Convolutions take the forms shipped
for the AMD EPYC on every processor, so that a seed repeats.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from experiments._formatting import percent
from experiments._ladder_figure import draw_ladder
from experiments._quick import quick_rung
from experiments._results import RESULTS, folder_for, read_result, run_command, write_result
from experiments._table_rows import rows_of
from ffnn_jax.config import Settings, UserError, Validation, preset, suggestion
from ffnn_jax.data import load
from ffnn_jax.layers.fast import TABLES
from ffnn_jax.network import compute_normalisation, normalise
from ffnn_jax.nn import PatchWhitening
from ffnn_jax.reporting import save_figure
from ffnn_jax.runs import spread
from ffnn_jax.runs.sweeps import read_records, seeds_of, sweep

SEEDS = {
    "cifar10-minute": 20, "mnist-99": 10, "cifar10-coffee": 10, "cifar10-94": 1, "cifar10-93": 5,
}  # fmt: skip
"""Seeds of each rung, in the order in which they are trained."""
AIMS = {
    "cifar10-minute": 0.86, "mnist-99": 0.995, "cifar10-coffee": 0.92, "cifar10-94": 0.94,
    "cifar10-93": 0.93,
}  # fmt: skip
_HELD_OUT, _IMAGES = 5000, {"cifar10": 50_000, "mnist": 60_000}
_EPOCHS = {
    "cifar10-minute": 4,
    "mnist-99": 5,
    "cifar10-coffee": 8,
    "cifar10-93": 11,
    "cifar10-94": 8,
}
"""Epochs of each rung's candidates, unless they say otherwise."""
_TRIED_ON_EVERY_RUNG = "Nesterov", "Muon 0.08", "Muon 0.16", "Muon 0.16, twice the batch"


def main(
    names: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    seeds: int | None = None,
    select: bool = False,
    quick: bool = False,
    draw_only: bool = False,
) -> None:
    """From the report's networks to 94 %, rung by rung.

    Args:
        names: the rungs to train; by default all.
        seeds: seeds of each, from seed 0 on.
        select: try the listed changes on held-out training images, and read no test image.
        quick: smoke test: 2 seeds of the first rung, 3 steps on mnist_5k.
        draw_only: draw from the stored results without training.
    """
    if quick and select:
        raise UserError("--select holds out images of the full data set, so not with --quick")
    folder = folder_for(quick)
    for name in names or tuple(SEEDS)[: 1 if quick else None]:
        _require_known(name)
        rung = quick_rung(rungs()[name]) if quick else rungs()[name]
        count = 2 if quick else seeds or SEEDS[name]
        if select:
            sweep(candidates(name, rung), range(count), folder / "ladder_candidates.jsonl", False)
        elif not draw_only:
            sweep({name: rung}, range(count), folder / "ladder.jsonl")
        patches = _patch_covariance("mnist_5k" if quick else "cifar10")
        result = {"quick": quick, **_stored(folder), "patch_covariance": patches}
        write_result(folder / "ladder.json", result)
    result = read_result(folder / "ladder.json")
    rows = {name: row for name, row in result["rows"].items() if name != "mnist-99"}
    save_figure(draw_ladder(rows, _below(quick)), folder / "ladder.png")
    print(f"{sum(len(row['seeds']) for row in result['rows'].values())} seeds, figure in {folder}")


def rungs() -> dict[str, Settings]:
    """The settings of each rung, with named forms."""
    forms = TABLES["amd-epyc"]
    return {name: replace(preset(name), forms=forms) for name in SEEDS}


def candidates(name: str, rung: Settings) -> dict[str, Settings]:
    """Changes to the rung's recipe, trained for as many epochs on all but the held-out images."""
    epochs = _EPOCHS[name]
    base = by_nesterov(rung, epochs)
    fewer = 3.25 / 4 * epochs
    muon, shorter = by_muon(rung, epochs, 0.08), by_muon(rung, fewer, 0.08)
    larger = replace(rung, batch_size=2 * rung.batch_size)
    no_crop = {"augmentations": rung.augmentations[:-1]}
    tried = {
        "Nesterov": base,
        "learning rate 0.7 times": replace(base, learning_rate=0.7 * base.learning_rate),
        "learning rate 1.4 times": replace(base, learning_rate=1.4 * base.learning_rate),
        "no lookahead": replace(base, lookahead=0),
        "no smoothing": replace(base, label_smoothing=0.0),
        "no crop": replace(base, **no_crop),
        "Muon 0.08": muon,
        "Muon 0.16": by_muon(rung, epochs, 0.16),
        "Muon 0.16, twice the batch": by_muon(larger, epochs, 0.16),
        "Muon 0.05": by_muon(rung, epochs, 0.05),
        "Muon 0.1, twice the batch": by_muon(larger, epochs, 0.1),
        f"Muon 0.08, {fewer:g} of {epochs} epochs": shorter,
        f"Muon 0.08, {fewer:g} of {epochs} epochs, no crop": replace(shorter, **no_crop),
    }
    words = tuple(tried) if name == "cifar10-minute" else _TRIED_ON_EVERY_RUNG
    return {f"{name}, {word}": _held_out(tried[word]) for word in words}


def by_nesterov(rung: Settings, epochs: float) -> Settings:
    """The rung trained by the optimiser of cifar10-93, for so many epochs."""
    return _trained_like(rung, preset("cifar10-93"), epochs)


def by_muon(rung: Settings, epochs: float, rate: float) -> Settings:
    """The rung trained by the optimiser of cifar10-94 with this rate, for so many epochs."""
    return replace(_trained_like(rung, preset("cifar10-94"), epochs), muon_rate=rate)


def _trained_like(rung: Settings, other: Settings, epochs: float) -> Settings:
    size, usual = rung.batch_size, preset(rung.preset).batch_size
    images = _IMAGES[rung.dataset] // usual * usual  # of an epoch, without its last, partial batch
    names = ("optimizer", "lookahead", "rate_points", "group_rates", "weight_decay", "momentum")
    return replace(
        rung,
        **{name: getattr(other, name) for name in names},
        learning_rate=other.learning_rate * size / other.batch_size,
        muon_rate=other.muon_rate if other.optimizer == "muon" else Settings.muon_rate,
        steps=round(epochs * images / size),
        group_steps=(("whitening", 3 * images // size),),
    )


def _held_out(settings: Settings) -> Settings:
    share = 1 - _HELD_OUT / _IMAGES[settings.dataset]
    steps = round(share * settings.steps)
    return replace(settings, validation=Validation("last", _HELD_OUT), steps=steps)


def section(result: dict[str, Any]) -> str:
    """The rungs and the candidates, in Markdown."""
    lines = "".join(_line(name, row) for name, row in result["rows"].items())
    tried = "".join(
        f"| {name} | {percent(row['validation_accuracy'])} | {len(row['seeds'])} |\n"
        for name, row in result["candidates"].items()
    )
    return f"""Trained on all training images of CIFAR-10 or MNIST, and tested with all views of \
the preset (six, or one of a digit) and with one. Seconds are wall-clock time of the fastest seed; \
that of cifar10-94 shared its core with other work.

| rung | parameters | 10^15 operations | all views, % | 95 % interval | one view, % | aim, % | n \
| s on one core |
| --- | ---: | ---: | --- | --- | --- | ---: | ---: | ---: |
{lines}
![accuracy against processor time](results/ladder.png)

Chosen on {_HELD_OUT:,} held-out training images, with all views; no candidate saw a test image:

| candidate | validation, % | n |
| --- | --- | ---: |
{tried}"""


def verdict(name: str, row: dict[str, Any]) -> str:
    """Whether the mean, with the views of the preset, reaches the rung's aim."""
    short = round(100 * (AIMS[name] - spread(row["test_accuracy"]).mean), 6)
    outcome = "reached" if short <= 0 else f"missed by {short:.2f} points"
    return f"aim of {100 * AIMS[name]:g} %: {outcome}"


def _line(name: str, row: dict[str, Any]) -> str:
    found = spread(row["test_accuracy"])
    interval = f"{100 * found.low:.2f} to {100 * found.high:.2f}" if found.n > 1 else ""
    cells = (
        f"`{name}`", f"{row['parameters']:,}", f"{row['training_flops'] / 1e15:.3f}",
        percent(row["test_accuracy"]), interval,
        percent(row.get("plain_test_accuracy", row["test_accuracy"])),
        f"{100 * AIMS[name]:g}", found.n, f"{row['train_seconds']:.0f}",
    )  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |\n"


def _stored(folder: Path) -> dict[str, Any]:
    tried = read_records(folder / "ladder_candidates.jsonl")
    names = dict.fromkeys(record["row"] for record in tried)
    rows = rows_of(read_records(folder / "ladder.jsonl"), SEEDS, {})
    validated = {
        name: {
            "seeds": [record["seed"] for record in seeds_of(tried, name)],
            "validation_accuracy": [r["validation_accuracy"] for r in seeds_of(tried, name)],
        }
        for name in names
    }
    return {"rows": rows, "candidates": validated}


def _patch_covariance(dataset: str) -> list[list[float]]:
    """The covariance (whitening.1) of the patches that the first layer of a rung whitens."""
    images = load(dataset, "train").images[: PatchWhitening().images]
    normalisation = compute_normalisation([images], 1 / 255, "channel-mean-sd")
    x = np.asarray(normalise(images, normalisation))
    windows = np.moveaxis(np.lib.stride_tricks.sliding_window_view(x, (2, 2), (1, 2)), 3, -1)
    p = windows.reshape(-1, 4 * x.shape[-1])
    return np.round(p.T @ p / len(p), 5).tolist()


def _below(quick: bool) -> dict[str, Any]:
    """The report's models and the budget's two, which the rungs are compared with."""
    if quick:
        return {}
    stored = ("table_3", "budget")
    table, budget = (read_result(RESULTS / f"{name}.json")["rows"] for name in stored)
    return {f"model {name}": row for name, row in table.items()} | budget


def _require_known(name: str) -> None:
    if name not in SEEDS:
        known = ", ".join(SEEDS)
        raise UserError(f"unknown rung {name!r} (known: {known}){suggestion(name, SEEDS)}")


if __name__ == "__main__":
    run_command(main)
