"""Figures 4-6 and Tables 4-5: the report's final network on CIFAR-10, which is its model 3.

Report: test accuracy 0.542, from one run.
Ours: test accuracy 0.5432 +- 0.0129 (mean +- sd, n = 50).
Time of training a seed: 12 s on 1 core of AMD EPYC.

Command: python -m experiments.final
Quick: python -m experiments.final --quick, 3 steps on mnist_5k, results to runs/quick.

Needs the data set cifar10, and model 3's seeds from table_3 (the quick setting needs neither).
Table 5 is of all seeds. The figures are of the seed with the best validation accuracy, which is
trained again for them and must give the parameters that are stored; the test images chose nothing.
``--draw-only`` draws anew from the stored results.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments._best_run_figures import draw_best_run, draw_best_run_figures, figure_files, shown
from experiments._class_table import class_table, extremes
from experiments._formatting import header_of_one_number, mean_and_sd, time_on
from experiments._one_seed import record_of, result_of
from experiments._quick import quickly
from experiments._records import Record, seeds_of_model_3
from experiments._report import CIFAR10
from experiments._results import RESULTS, folder_for, read_result, run_command, write_result
from experiments._sweep import run_alone
from ffnn_jax.config import Settings, UserError, preset
from ffnn_jax.network import Network

_CURVES = ("step", "loss", "accuracy", "validation_accuracy")
_FIGURES = figure_files("final", first=4)


def main(quick: bool = False, draw_only: bool = False) -> None:
    """Figures 4-6 and Tables 4-5: the report's final network on CIFAR-10.

    Args:
        quick: one seed, 3 steps on mnist_5k, to see it work.
        draw_only: draw from the stored results, train nothing.
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
    """Trains the best of the stored seeds again; returns all that figures and tables are made of.

    Raises:
        UserError: it does not give the parameters that are stored.
    """
    best = max(stored, key=lambda record: record["validation_accuracy"])
    seed, there = best["seed"], best["parameters_sha256"]
    looked = run_alone(train_and_look, Settings.from_json(best["settings"]), seed)
    if looked["parameters_sha256"] != there:
        raise UserError(f"seed {seed} does not give what is stored: run table_3 on this processor")
    return _collected(stored, looked)


def train_and_look(settings: Settings, seed: int) -> dict[str, Any]:
    """One seed as it is stored, with what the figures show of it."""
    result = result_of(settings, seed)
    return {**record_of("3", result), **draw_best_run(result)} | {
        "class_names": result.splits.test.class_names
    }


def time_of(result: dict[str, Any]) -> str:
    """The fastest seed's seconds of training, and where."""
    return time_on(result["train_seconds"], result["device"], 1)


def header(result: dict[str, Any]) -> str:
    """What this file says of itself."""
    return header_of_one_number(CIFAR10.test_accuracy, result["test_accuracy"], time_of(result))


def section(result: dict[str, Any]) -> str:
    """Figures 4-6 and Tables 4-5 in Markdown."""
    names, settings = result["class_names"], Settings.from_json(result["settings"])
    table_5 = class_table(result["confusion"], names, CIFAR10)
    best = extremes(result["confusion"], names, CIFAR10)
    network = Network(settings.layers, tuple(np.shape(result["mistakes"]["images"])[1:]))
    return f"""Table 4, generated from the parameters:

{network.summary().to_markdown()}
Table 5. {best} The report names its classes 9 and 3, ship and bird, best and worst.

{table_5}
Figures 4, 5 and 6, and the curves, of seed {result["best_seed"]}, the best by validation:

{shown(_FIGURES)}
"""


def _collected(stored: Sequence[Record], looked: dict[str, Any]) -> dict[str, Any]:
    history = [
        {"seed": looked["seed"], **dict(zip(_CURVES, line, strict=True))}
        for line in looked["history"]
    ]
    listed = ("seed", "test_accuracy", "validation_accuracy", "train_accuracy", "confusion")
    seeds, *columns = ([record[name] for record in stored] for name in listed)
    return {
        "seeds": seeds,
        **dict(zip(listed[1:], columns, strict=True)),
        "best_seed": looked["seed"],
        "best_confusion": looked["confusion"],
        "history": history,
        "train_seconds": min(record["train_seconds"] for record in stored),
        **{name: looked[name] for name in (
            "filters", "mistakes", "class_names", "settings", "parameters", "parameters_sha256",
            "data_sha256", "versions", "device",
        )},
    }  # fmt: skip


def _measure_quickly() -> dict[str, Any]:
    looked = train_and_look(quickly(preset("cifar10-final")), 0)
    return _collected([looked], looked)


if __name__ == "__main__":
    run_command(main)
