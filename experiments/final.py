"""Figures 4-6 and Tables 4-5: the report's final network on CIFAR-10, which is its model 3.

Report: test accuracy 0.542, from one run.
Ours: test accuracy 0.5432 +- 0.0129 (mean +- sd, n = 50).
Training time per seed: 12 s on 1 core of AMD EPYC.

Command: python -m experiments.final
Quick: python -m experiments.final --quick, 3 steps on mnist_5k, results to runs/quick.

Needs the data set cifar10, and model 3's seeds from table_3 (the quick setting needs neither).
Table 5 is over all seeds. The figures show the seed with the best validation accuracy, which is
retrained for them and must reproduce the stored parameters; no choice depends on the test images.
``--draw-only`` redraws from the stored results.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments._best_run_figures import (
    best_run_data,
    draw_best_run_figures,
    figure_files,
    figure_links,
)
from experiments._class_table import class_table, extremes
from experiments._formatting import header_of_one_number, mean_and_sd, time_on
from experiments._quick import quick_settings
from experiments._report import CIFAR10
from experiments._results import RESULTS, folder_for, read_result, run_command, write_result
from experiments._table_rows import seeds_of_model_3
from ffnn_jax.config import Settings, UserError, preset
from ffnn_jax.network import Network
from ffnn_jax.runs.sweeps import Record, record_of, run_alone, train_seed

_CURVES = ("step", "loss", "accuracy", "validation_accuracy")
_FIGURES = figure_files("final", first=4)


def main(quick: bool = False, draw_only: bool = False) -> None:
    """Figures 4-6 and Tables 4-5: the report's final network on CIFAR-10.

    Args:
        quick: smoke test: one seed, 3 steps on mnist_5k.
        draw_only: draw from the stored results without training.
    """
    folder = folder_for(quick)
    if not draw_only:
        result = (
            _measure_quickly() if quick else measure(seeds_of_model_3(RESULTS / "table_3.jsonl", 1))
        )
        write_result(folder / "final.json", {"quick": quick, **result})
    result = read_result(folder / "final.json")
    draw_best_run_figures(result, result["best_confusion"], folder, _FIGURES)
    print(f"test accuracy {mean_and_sd(result['test_accuracy'])}; figures and tables in {folder}")


def measure(stored: Sequence[Record]) -> dict[str, Any]:
    """Retrains the best of the stored seeds; returns the data of the figures and tables.

    Raises:
        UserError: it does not reproduce the stored parameters.
    """
    best = max(stored, key=lambda record: record["validation_accuracy"])
    seed, digest = best["seed"], best["parameters_sha256"]
    best_run = run_alone(train_best_run, Settings.from_json(best["settings"]), seed)
    if best_run["parameters_sha256"] != digest:
        raise UserError(
            f"seed {seed} does not reproduce the stored run: run table_3 on this processor"
        )
    return _collect(stored, best_run)


def train_best_run(settings: Settings, seed: int) -> dict[str, Any]:
    """The record of one seed, with the data of the figures."""
    result = train_seed(settings, seed)
    return {**record_of("3", result), **best_run_data(result)} | {
        "class_names": result.splits.test.class_names
    }


def time_of(result: dict[str, Any]) -> str:
    """The fastest seed's training time, and where."""
    return time_on(result["train_seconds"], result["device"], 1)


def header(result: dict[str, Any]) -> str:
    """The result lines of this module's docstring."""
    return header_of_one_number(CIFAR10.test_accuracy, result["test_accuracy"], time_of(result))


def section(result: dict[str, Any]) -> str:
    """Figures 4-6 and Tables 4-5 in Markdown."""
    names, settings = result["class_names"], Settings.from_json(result["settings"])
    table_5 = class_table(result["confusion"], names, CIFAR10)
    best = extremes(result["confusion"], names, CIFAR10)
    network = Network(settings.layers, tuple(np.shape(result["mistakes"]["images"])[1:]))
    return f"""Table 4, generated from the parameters:

{network.summary().to_markdown()}
Table 5. {best} The report calls its classes 9 and 3, ship and bird, best and worst.

{table_5}
Figures 4, 5 and 6, and the curves, for seed {result["best_seed"]}, the best by validation:

{figure_links(_FIGURES)}
"""


def _collect(stored: Sequence[Record], best_run: dict[str, Any]) -> dict[str, Any]:
    history = [
        {"seed": best_run["seed"], **dict(zip(_CURVES, record_values, strict=True))}
        for record_values in best_run["history"]
    ]
    fields = ("seed", "test_accuracy", "validation_accuracy", "train_accuracy", "confusion")
    seeds, *columns = ([record[name] for record in stored] for name in fields)
    return {
        "seeds": seeds,
        **dict(zip(fields[1:], columns, strict=True)),
        "best_seed": best_run["seed"],
        "best_confusion": best_run["confusion"],
        "history": history,
        "train_seconds": min(record["train_seconds"] for record in stored),
        **{name: best_run[name] for name in (
            "filters", "mistakes", "class_names", "settings", "parameters", "parameters_sha256",
            "data_sha256", "versions", "device",
        )},
    }  # fmt: skip


def _measure_quickly() -> dict[str, Any]:
    run = train_best_run(quick_settings(preset("cifar10-final")), 0)
    return _collect([run], run)


if __name__ == "__main__":
    run_command(main)
