"""Which test images each rung of the ladder learns, from model 3 upwards.

Command: python -m experiments.images_learned
Quick: python -m experiments.images_learned --quick, 2 seeds of 2 rungs, 3 steps, results to
runs/quick.

Needs the data set cifar10 and seeds 0 and 1 of the rungs from ladder (the quick setting needs
neither); model 3 is trained here, half a minute a seed. An image is learned by the lowest rung from
which on every rung classifies it correctly, by seed 0 of each. What seed 1 of the same rung gets
wrong of these says how much of that is chance. Ten images of each kind are drawn, the first of the
test set. ``--draw-only`` redraws from the stored results.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments._quick import quick_rung, quick_settings
from experiments._results import RESULTS, folder_for, read_result, run_command, write_result
from experiments.ladder import SEEDS
from ffnn_jax.config import Settings, preset
from ffnn_jax.data import load
from ffnn_jax.layers.fast import TABLES
from ffnn_jax.reporting import draw_contact_sheet, save_figure
from ffnn_jax.runs.sweeps import Record, read_records, seeds_of, sweep

MODEL_3, NONE = "cifar10-3", "no rung"
RUNGS = tuple(name for name in SEEDS if name.startswith("cifar10"))


def main(quick: bool = False, draw_only: bool = False) -> None:
    """Which test images each rung of the ladder learns.

    Args:
        quick: smoke test: 2 seeds of 2 rungs, 3 steps on mnist_5k.
        draw_only: draw from the stored results without training.
    """
    folder, test = folder_for(quick), load("mnist_5k" if quick else "cifar10", "test")
    if not draw_only:
        sweep(_trained_here(quick), range(2), folder / "images_learned.jsonl")
        result = measure(_records(folder, quick), test.labels)
        write_result(folder / "images_learned.json", {"quick": quick, **result})
    result = read_result(folder / "images_learned.json")
    names = [*result["rungs"], NONE]
    title = "Test images, by the lowest rung from which on all classify them correctly"
    figure = draw_contact_sheet(test.images, np.array(result["learned_by"]), names, title)
    save_figure(figure, folder / "images_learned.png")
    print(section(result))


def measure(records: list[Record], labels: np.ndarray) -> dict[str, Any]:
    """For each rung what it learns and loses, and for each image the rung that learns it."""
    ordered = sorted((MODEL_3, *RUNGS), key=lambda name: _accuracy(records, name))
    rungs = [name for name in ordered if seeds_of(records, name)]
    right = np.stack([_right(records, name, 0, labels) for name in rungs])
    learned_by = levels(right)
    rows = {
        name: {
            "right": int(right[level].sum()),
            "learned": int((learned_by == level).sum()),
            "gained": int((right[level] & ~right[level - 1]).sum()) if level else None,
            "lost": int((~right[level] & right[level - 1]).sum()) if level else None,
            "changed_by_seed": _changed(records, name, labels),
        }
        for level, name in enumerate(rungs)
    }
    ever = int((right.any(0) & (learned_by == len(rungs))).sum())
    return {"rungs": rows, "lost_at_the_top": ever, "learned_by": learned_by.tolist()}


def levels(right: np.ndarray) -> np.ndarray:
    """For each image the lowest rung from which on all are right; the number of rungs if none."""
    from_here_on = np.logical_and.accumulate(right[::-1])[::-1]
    return len(right) - from_here_on.sum(0)


def section(result: dict[str, Any]) -> str:
    """What each rung learns, in Markdown."""
    images = len(result["learned_by"])
    lines = "".join(_line(name, row) for name, row in result["rungs"].items())
    none = images - sum(row["learned"] for row in result["rungs"].values())
    return f"""Of {images:,} test images, with seed 0 of each rung. An image is learned by the \
lowest rung from which on every rung classifies it correctly; no rung learned {none:,}, of which \
{result["lost_at_the_top"]:,} were right on a lower rung. The last column is chance: how many \
images two seeds of a rung answer differently, one correctly and one not.

| rung | right | learned | right here, wrong one below | wrong here, right one below \
| by another seed |
| --- | ---: | ---: | ---: | ---: | ---: |
{lines}
![images that each rung learns](results/images_learned.png)
"""


def _line(name: str, row: Mapping[str, Any]) -> str:
    cells = row["right"], row["learned"], row["gained"], row["lost"], row["changed_by_seed"]
    numbers = " | ".join("" if cell is None else f"{cell:,}" for cell in cells)
    return f"| `{name}` | {numbers} |\n"


def _trained_here(quick: bool) -> dict[str, Settings]:
    model_3 = replace(preset(MODEL_3), forms=TABLES["amd-epyc"])
    if not quick:
        return {MODEL_3: model_3}
    return {MODEL_3: quick_settings(model_3), RUNGS[0]: quick_rung(preset(RUNGS[0]))}


def _records(folder: Path, quick: bool) -> list[Record]:
    own = read_records(folder / "images_learned.jsonl")
    rungs = [] if quick else read_records(RESULTS / "ladder.jsonl")
    return [one for one in (*own, *rungs) if "predicted" in one]


def _accuracy(records: list[Record], name: str) -> float:
    return max((one["test_accuracy"] for one in seeds_of(records, name)), default=0.0)


def _right(records: list[Record], name: str, seed: int, labels: np.ndarray) -> np.ndarray:
    (record,) = (one for one in seeds_of(records, name) if one["seed"] == seed)
    return np.array(list(map(int, record["predicted"]))) == labels


def _changed(records: list[Record], name: str, labels: np.ndarray) -> int | None:
    if len(seeds_of(records, name)) < 2:
        return None
    first, second = (_right(records, name, seed, labels) for seed in (0, 1))
    return int((first != second).sum())


if __name__ == "__main__":
    run_command(main)
