"""Ablations that the report proposed, each against model 3 under the same budget.

Report: not run; it names Leaky ReLU, filter sizes, widths, more layers.
Ours, model 3: 0.5420 +- 0.0070 (mean +- sd, n = 10).
Ours, leaky 0.01: 0.5420 +- 0.0087 (mean +- sd, n = 10).
Ours, leaky 0.1: 0.5493 +- 0.0090 (mean +- sd, n = 10).
Ours, leaky 0.3: 0.5496 +- 0.0103 (mean +- sd, n = 10).
Ours, size 3: 0.5084 +- 0.0104 (mean +- sd, n = 10).
Ours, size 7: 0.5395 +- 0.0111 (mean +- sd, n = 10).
Ours, filters 8: 0.4852 +- 0.0074 (mean +- sd, n = 10).
Ours, filters 32: 0.5861 +- 0.0112 (mean +- sd, n = 10).
Ours, deeper: 0.4866 +- 0.0105 (mean +- sd, n = 10).
Time, model 3: 12 s on 1 core of AMD EPYC.
Time, leaky 0.01: 12 s on 1 core of AMD EPYC.
Time, leaky 0.1: 12 s on 1 core of AMD EPYC.
Time, leaky 0.3: 12 s on 1 core of AMD EPYC.
Time, size 3: 6 s on 1 core of AMD EPYC.
Time, size 7: 25 s on 1 core of AMD EPYC.
Time, filters 8: 7 s on 1 core of AMD EPYC.
Time, filters 32: 34 s on 1 core of AMD EPYC.
Time, deeper: 13 s on 1 core of AMD EPYC.

Command: python -m experiments.ablations
Quick: python -m experiments.ablations --quick, 1 change, 3 steps, results to runs/quick.

Needs the data set cifar10, and model 3's seeds from table_3 (the quick setting needs neither).
Schedule, images and seeds are model 3's, so each change is compared with it pairwise.
``--draw-only`` redraws from the stored results.
"""

import dataclasses
from pathlib import Path
from typing import Any

from experiments._claims import Claim, answers, cells
from experiments._figures import draw_forest
from experiments._formatting import mean_and_sd, percent, time_of_row
from experiments._quick import quick_settings
from experiments._results import RESULTS, folder_for, read_result, run_command, write_result
from experiments._table_rows import rows_of, seeds_of_model_3
from ffnn_jax.config import Settings, preset
from ffnn_jax.nn import Conv, Layer, LeakyReLU, ReLU
from ffnn_jax.reporting import save_figure
from ffnn_jax.runs.sweeps import read_records, sweep

SEEDS = 10
MODEL_3 = preset("cifar10-3")


def _with_layers(*layers: Layer) -> Settings:
    return dataclasses.replace(MODEL_3, layers=layers)


def _leaky(slope: float) -> Settings:
    return _with_layers(
        *(LeakyReLU(slope) if layer == ReLU() else layer for layer in MODEL_3.layers)
    )


def _convolutions(**changes: int) -> Settings:
    return _with_layers(
        *(
            dataclasses.replace(layer, **changes) if isinstance(layer, Conv) else layer
            for layer in MODEL_3.layers
        )
    )


def _deeper() -> Settings:
    """A fourth convolution and ReLU, without the pooling that precedes them in model 6a."""
    *before, last = MODEL_3.layers
    third = next(layer for layer in reversed(before) if isinstance(layer, Conv))
    return _with_layers(*before, third, ReLU(), last)


ROWS: dict[str, tuple[str, Settings]] = {
    "leaky 0.01": ("Leaky ReLU with slope 0.01 helps", _leaky(0.01)),
    "leaky 0.1": ("Leaky ReLU with slope 0.1 helps", _leaky(0.1)),
    "leaky 0.3": ("Leaky ReLU with slope 0.3 helps", _leaky(0.3)),
    "size 3": ("filters of 3 x 3 help", _convolutions(size=3)),
    "size 7": ("filters of 7 x 7 help", _convolutions(size=7)),
    "filters 8": ("8 filters a layer help", _convolutions(filters=8)),
    "filters 32": ("32 filters a layer help", _convolutions(filters=32)),
    "deeper": ("one more convolution, without pooling, helps", _deeper()),
}
CLAIMS = tuple(Claim(name, text, name, "3", 1) for name, (text, _) in ROWS.items())


def main(seeds: int = SEEDS, quick: bool = False, draw_only: bool = False) -> None:
    """Ablations that the report proposed, each against model 3.

    Args:
        seeds: number of networks per change, from seed 0 on.
        quick: smoke test: 2 seeds of 1 change and of model 3, 3 steps on mnist_5k.
        draw_only: draw from the stored results without training.
    """
    folder = folder_for(quick)
    if not draw_only:
        write_result(folder / "ablations.json", measure(seeds, folder, quick))
    result = read_result(folder / "ablations.json")
    draw(result, folder)
    print(f"{sum(len(row['seeds']) for row in result['rows'].values())} seeds, figures in {folder}")


def measure(seeds: int, folder: Path, quick: bool) -> dict[str, Any]:
    """Trains every change; returns model 3, the changes, and whether they help."""
    rows = {name: settings for name, (_, settings) in ROWS.items()}
    stored = [] if quick else seeds_of_model_3(RESULTS / "table_3.jsonl", seeds)[:seeds]
    if quick:
        seeds, rows = 2, {"3": quick_settings(MODEL_3), "size 3": quick_settings(rows["size 3"])}
    sweep(rows, range(seeds), folder / "ablations.jsonl")
    records = [*stored, *read_records(folder / "ablations.jsonl")]
    table_rows = rows_of(records, ("3", *ROWS), {})
    claims = tuple(claim for claim in CLAIMS if claim.first in table_rows)
    return {"quick": quick, "rows": table_rows, "claims": answers(table_rows, claims)}


def draw(result: dict[str, Any], folder: Path) -> None:
    """Writes the forest plot."""
    names = {row: _label(row) for row in result["rows"]}
    figure = draw_forest(result["rows"], names, "Changes to model 3: test accuracy on CIFAR-10")
    save_figure(figure, folder / "ablations_forest.png")


def header(result: dict[str, Any]) -> str:
    """The result lines of this module's docstring."""
    rows = result["rows"].items()
    return "".join(
        [
            "Report: not run; it names Leaky ReLU, filter sizes, widths, more layers.\n",
            *(
                f"Ours, {_label(name)}: {mean_and_sd(row['test_accuracy'])}.\n"
                for name, row in rows
            ),
            *(f"Time, {_label(name)}: {time_of_row(row)}.\n" for name, row in rows),
        ]
    )


def section(result: dict[str, Any]) -> str:
    """Every change against model 3, in Markdown."""
    rows = "".join(
        f"| {_label(name)} | {row['parameters']:,} | {row['training_flops'] / 1e12:.2f} "
        f"| {percent(row['test_accuracy'])} | {len(row['seeds'])} | {row['train_seconds']:.0f} |\n"
        for name, row in result["rows"].items()
    )
    claims = "".join(f"| {claim['text']} {cells(claim)}\n" for claim in result["claims"])
    return f"""Every change uses model 3's schedule, images and seeds, and is compared with it in \
pairs; the answers are corrected together, separately from those above. Model 3's seeds are those \
of Table 3.

| network | parameters | training, 10^12 operations | test accuracy, % | n | s per seed |
| --- | ---: | ---: | --- | ---: | ---: |
{rows}
| claim | points [95 %, uncorrected] | n | p, corrected | answer |
| --- | --- | ---: | ---: | --- |
{claims}
![forest plot of the changes](results/ablations_forest.png)
"""


def _label(row: str) -> str:
    return f"model {row}" if row == "3" else row


if __name__ == "__main__":
    run_command(main)
