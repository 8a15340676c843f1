"""Table 3: nine models on CIFAR-10, each with many seeds where the report had one run.

Model 0: report 0.48, ours 0.4926 +- 0.0140 (mean +- sd, n = 50).
Model 1: report 0.48, ours 0.4851 +- 0.0155 (mean +- sd, n = 50).
Model 2: report 0.45, ours 0.4428 +- 0.0192 (mean +- sd, n = 50).
Model 3: report 0.54, ours 0.5432 +- 0.0129 (mean +- sd, n = 50).
Model 4: report 0.53, ours 0.5446 +- 0.0115 (mean +- sd, n = 50).
Model 5: report 0.54, ours 0.5338 +- 0.0155 (mean +- sd, n = 50).
Model 6a: report 0.48, ours 0.4836 +- 0.0139 (mean +- sd, n = 50).
Model 6b: report 0.56, ours 0.5520 +- 0.0091 (mean +- sd, n = 50).
Model 7: report 0.55, ours 0.5439 +- 0.0109 (mean +- sd, n = 50).
Training time per seed: 12 s on 1 core of AMD EPYC.

Command: python -m experiments.table_3
Repeat one run: python -m experiments.table_3 --model 3 --seed 7
Quick: python -m experiments.table_3 --quick, 2 models, 3 steps, results to runs/quick.

Needs the data set cifar10 (the quick setting needs none). A seed sets the split, the
initialisation and the batches (those of 16 are the same in every model), so the models are compared
in pairs. Every finished seed is stored at once: the sweep can be stopped at any time and then
resumes. ``--draw-only`` redraws from the stored results.
"""

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments._claims import answers
from experiments._figures import draw_cost, draw_forest
from experiments._formatting import mean_and_sd, time_of_row
from experiments._quick import quick_settings
from experiments._results import folder_for, read_result, run_command, write_result
from experiments._table_rows import rows_of
from ffnn_jax.config import Settings, UserError, preset, suggestion
from ffnn_jax.nn import Dense
from ffnn_jax.reporting import save_figure
from ffnn_jax.runs.sweeps import read_records, run_alone, run_seed, seeds_of, sweep

SEEDS = 50
OTHER_SEEDS = 10
FINAL = "3"
ROWS = ("0", "1", "2", "3", "4", "5", "6a", "6b", "7")
REPORT: dict[str, float] = dict(
    zip(ROWS, (0.48, 0.48, 0.45, 0.54, 0.53, 0.54, 0.48, 0.56, 0.55), strict=True)
)


def settings_of_rows() -> dict[str, Settings]:
    """The models of the table."""
    return {row: preset(f"cifar10-{row}") for row in ROWS}


def settings_of_other_readings() -> dict[str, Settings]:
    """Alternative readings of the report: other hidden widths, more steps for more images."""
    more_steps = dataclasses.replace(preset("cifar10-0"), preset="cifar10-7-steps", steps=10_000)
    widths = {
        f"{row}-width-{width}": _with_width(preset(f"cifar10-{row}"), width)
        for row in ("4", "5")
        for width in (16, 256)
    }
    return widths | {"7-steps": more_steps}


def main(
    model: str | None = None,
    seed: int | None = None,
    seeds: int = SEEDS,
    quick: bool = False,
    draw_only: bool = False,
) -> None:
    """Table 3: nine models on CIFAR-10, each with many seeds where the report had one run.

    Args:
        model: repeat one run of this model, with --seed, and compare it with the stored run.
        seed: the seed of that run.
        seeds: number of networks per model, from seed 0 on.
        quick: smoke test: 2 seeds of 2 models, 3 steps on mnist_5k.
        draw_only: draw from the stored results without training.
    """
    folder = folder_for(quick)
    rows, others = settings_of_rows(), settings_of_other_readings()
    if quick:
        quick_rows = {"2": rows["2"], "4-width-16": others["4-width-16"]}
        seeds, others = 2, {}
        rows = {name: quick_settings(settings) for name, settings in quick_rows.items()}
    if model is not None or seed is not None:
        _repeat_run(model, seed, rows | others, folder)
        return
    if not draw_only:
        sweep(rows, range(seeds), folder / "table_3.jsonl")
        sweep(others, range(min(seeds, OTHER_SEEDS)), folder / "table_3.jsonl")
        write_result(folder / "table_3.json", table(read_records(folder / "table_3.jsonl"), quick))
    result = read_result(folder / "table_3.json")
    draw(result, folder)
    print(f"{sum(len(row['seeds']) for row in result['rows'].values())} seeds, figures in {folder}")


def table(records: list[dict[str, Any]], quick: bool) -> dict[str, Any]:
    """The result: each row's accuracies, one per seed in seed order, and the answered claims."""
    rows = rows_of(records, (*ROWS, *settings_of_other_readings()), REPORT)
    complete = all(len(rows.get(row, {"seeds": []})["seeds"]) > 1 for row in ROWS)
    claims = answers(rows) if complete else []
    return {"quick": quick, "rows": rows, "claims": claims}


def draw(result: dict[str, Any], folder: Path) -> None:
    """Writes the forest plot and the cost plot."""
    rows = result["rows"]
    present = [row for row in ROWS if row in rows]
    title = "Table 3: test accuracy on CIFAR-10 by model"
    forest = draw_forest(rows, {row: f"model {row}" for row in present}, title)
    save_figure(forest, folder / "table_3_forest.png")
    save_figure(draw_cost(rows, present, FINAL), folder / "table_3_cost.png")


def header(result: dict[str, Any]) -> str:
    """The result lines of this module's docstring."""
    rows = result["rows"]
    lines = [
        f"Model {row}: report {REPORT[row]:.2f}, ours {mean_and_sd(rows[row]['test_accuracy'])}."
        for row in ROWS
    ]
    return "\n".join([*lines, f"Training time per seed: {time_of_row(rows[FINAL])}.", ""])


def _with_width(settings: Settings, width: int) -> Settings:
    layers = tuple(Dense(width) if layer == Dense(64) else layer for layer in settings.layers)
    return dataclasses.replace(settings, preset=f"{settings.preset}-width-{width}", layers=layers)


def _repeat_run(
    model: str | None, seed: int | None, rows: Mapping[str, Settings], folder: Path
) -> None:
    """Repeats one run and compares it with the stored one; exits with 1 if they differ."""
    known = f"(known: {', '.join(rows)})"
    if model is None:
        raise UserError(f"--seed also needs --model {known}")
    if model not in rows:
        raise UserError(f"model: {model!r} is unknown {known}{suggestion(model, rows)}")
    if seed is None:
        raise UserError("--model also needs --seed, as in --seed 7")
    repeated = run_alone(run_seed, model, rows[model], seed)
    print(f"model {model}, seed {seed}: test accuracy {repeated['test_accuracy']:.4f}")
    stored = [
        r for r in seeds_of(read_records(folder / "table_3.jsonl"), model) if r["seed"] == seed
    ]
    if not stored:
        print("stored: no such seed")
    elif stored[0]["parameters_sha256"] == repeated["parameters_sha256"]:
        print(f"stored: {stored[0]['test_accuracy']:.4f}, the same parameters")
    else:
        differing = [name for name in ("versions", "device") if stored[0][name] != repeated[name]]
        reason = f"different {' and '.join(differing)}" if differing else "same versions and device"
        print(f"stored: {stored[0]['test_accuracy']:.4f}, DIFFERENT parameters ({reason})")
        sys.exit(1)


if __name__ == "__main__":
    run_command(main)
