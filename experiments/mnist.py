"""Figures 1-3 and Tables 1-2: the report's network on MNIST.

Report: test accuracy 0.978, from one run.
Ours: test accuracy 0.9764 +- 0.0034 (mean +- sd, n = 20).
Time of training a seed: 2 s on 2 cores of AMD EPYC.

Command: python -m experiments.mnist
Quick: python -m experiments.mnist --quick, 20 steps of a narrow network, results to runs/quick.

Needs the data set mnist (the quick setting needs none). Every seed has its own split,
initialisation and batches. Table 1 is of all seeds; the figures are of the seed with the best
validation accuracy; the test images chose nothing. ``--draw-only`` draws anew from the stored
results.
"""

import dataclasses
from typing import Any

import numpy as np

from experiments._best_run_figures import draw_best_run, draw_best_run_figures, figure_files, shown
from experiments._class_table import class_table, extremes
from experiments._classes import Error, commonest_error
from experiments._formatting import header_of_one_number, mean_and_sd, time_on
from experiments._quick import narrow
from experiments._report import MNIST
from experiments._results import folder_for, read_result, run_command, write_result
from ffnn_jax.config import Settings, preset
from ffnn_jax.data import load_splits
from ffnn_jax.network import Network
from ffnn_jax.runs import compute, result_to_json

SEEDS = 20
_SETTINGS = preset("mnist")
_QUICK = dataclasses.replace(
    preset("quickstart"), layers=narrow(_SETTINGS.layers), steps=20, seeds=2
)
_CLAIMED = Error(true=7, predicted=2)
_FIGURES = figure_files("mnist", first=1)


def main(seeds: int = SEEDS, quick: bool = False, draw_only: bool = False) -> None:
    """Figures 1-3 and Tables 1-2: the report's network on MNIST.

    Args:
        seeds: networks to train, from seed 0 on.
        quick: 20 steps of 2 seeds of a narrow network on mnist_5k, to see it work.
        draw_only: draw from the stored results, train nothing.
    """
    folder = folder_for(quick)
    if not draw_only:
        settings = _QUICK if quick else dataclasses.replace(_SETTINGS, seeds=seeds)
        write_result(folder / "mnist.json", measure(settings, quick))
    result = read_result(folder / "mnist.json")
    best = result["seeds"].index(result["best_seed"])
    draw_best_run_figures(result, result["confusion"][best], folder, _FIGURES)
    print(f"test accuracy {mean_and_sd(result['test_accuracy'])}; figures in {folder}")


def measure(settings: Settings, quick: bool) -> dict[str, Any]:
    """Trains and tests; returns all that the figures and tables are made of."""
    result = compute(settings, load_splits(settings.dataset, train_images=settings.train_images))
    return {
        "quick": quick,
        "settings": settings.to_json(),
        **result_to_json(result),
        "history": [record._asdict() for record in result.trained.history],
        **draw_best_run(result),
    }


def time_of(result: dict[str, Any]) -> str:
    """Seconds of training for each seed, and where."""
    return time_on(result["train_seconds"] / len(result["seeds"]), result["device"])


def header(result: dict[str, Any]) -> str:
    """What this file says of itself."""
    return header_of_one_number(MNIST.test_accuracy, result["test_accuracy"], time_of(result))


def section(result: dict[str, Any]) -> str:
    """Figures 1-3, Tables 1-2 and the claim about the commonest error, in Markdown."""
    names, settings = result["class_names"], Settings.from_json(result["settings"])
    network = Network(settings.layers, tuple(np.shape(result["mistakes"]["images"])[1:]))
    best = extremes(result["confusion"], names, MNIST)
    return f"""Table 1. {best}

{class_table(result["confusion"], names, MNIST)}
(i) Is 7 read as 2 the commonest error? {claim_i(result)}

Table 2, generated from the parameters:

{network.summary().to_markdown()}
Figures 1, 2 and 3, and the curves of all seeds; the first three of seed {result["best_seed"]}, \
the best by validation:

{shown(_FIGURES)}
"""


def claim_i(result: dict[str, Any]) -> str:
    """The answer to the report's claim about the commonest error."""
    return commonest_error(result["confusion"], _CLAIMED, result["class_names"])


if __name__ == "__main__":
    run_command(main)
