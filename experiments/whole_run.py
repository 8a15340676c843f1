"""From the start of the process to the test accuracy: the report's model 0, ours and others'.

Command: python -m experiments.whole_run
Quick: python -m experiments.whole_run --quick, a few steps of ours, 1 round, results to runs/quick.

Needs the data set cifar10 (the quick setting needs none) and the extra "bench" for the peers; one
that is missing is skipped, and said. Each run is a fresh process: imports, data, compiling, 5,000
steps of 16 images, and the test. Its seconds are those until the test accuracy is on its standard
output; those until its end are kept too. Ours is the command ``ffnn-jax train``, which validates on
its way, and after the test classifies the training images and writes its folder with a page and
figures; "ours" compiles all of it, "ours-again" finds what it compiled before. The others are
written twice: as a user would after the library's own tutorial, and tuned. Rounds are interleaved,
the order turns.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from experiments._machine import device_name, provenance, require_quiet
from experiments._results import folder_for, run_command, write_result
from experiments.whole._data import PRESET
from ffnn_jax.config import UserError

_ROUNDS = 3
_TEST_ACCURACY = re.compile(r"test.accuracy\D+([\d.]+)")
_OURS = (sys.executable, "-m", "ffnn_jax", "train")
VARIANTS: dict[str, tuple[str, ...]] = {
    "ours": (*_OURS, PRESET, "--no-cache"),
    "ours-again": (*_OURS, PRESET),
    **{
        name.replace("_", "-"): (sys.executable, "-m", f"experiments.whole.{name}")
        for name in ("torch_user", "torch_tuned", "flax_user", "flax_tuned")
    },
}


def main(quick: bool = False) -> None:
    """Whole runs of model 0, ours and others'.

    Args:
        quick: a few steps of ours, to see it work.
    """
    path = folder_for(quick) / f"whole-run-{device_name()}.json"
    write_result(path, measure(quick))
    print(f"results in {path}")


def measure(quick: bool) -> dict[str, Any]:
    """Runs every variant in turn.

    Raises:
        UserError: other programs keep the machine busy, or our own run fails.
    """
    if quick:
        variants = {"ours": (*_OURS, "--steps", "3", "--no-cache")}
    else:
        require_quiet()
        variants = VARIANTS
    runs, skipped = _rounds(variants, 1 if quick else _ROUNDS)
    return {
        **provenance(quick),
        "rounds": 1 if quick else _ROUNDS,
        "skipped": skipped,
        "rows": _rows(runs),
    }


def _rounds(
    variants: Mapping[str, Sequence[str]], rounds: int
) -> tuple[dict[str, list[dict[str, float]]], dict[str, str]]:
    """The runs of each variant, and why some were skipped."""
    console = Console(highlight=False)
    runs: dict[str, list[dict[str, float]]] = {}
    skipped: dict[str, str] = {}
    for turn in range(rounds):
        names = [name for name in variants if name not in skipped]
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            try:
                found = _run(variants[name])
            except UserError as error:
                skipped[name] = str(error)
                console.print(f"skipped {name}: {error}")
                continue
            runs.setdefault(name, []).append(found)
            console.print(f"{name}: {found['seconds']:.1f} s, accuracy {found['accuracy']:.4f}")
    if "ours" in skipped:
        raise UserError(f"ours: {skipped['ours']}")
    return {name: found for name, found in runs.items() if name not in skipped}, skipped


def _run(command: Sequence[str]) -> dict[str, float]:
    """Seconds from the start of a process to its test accuracy and to its end, and the accuracy.

    Raises:
        UserError: it failed.
    """
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as errors:
        options = ["--run-dir", f"{folder}/run"] if "ffnn_jax" in command else []
        began = time.perf_counter()
        with subprocess.Popen(
            [*command, *options],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        ) as process:
            for line in process.stdout or ():
                if said := _TEST_ACCURACY.search(line):
                    seconds = time.perf_counter() - began
                    found = {"seconds": seconds, "accuracy": float(said[1])}
        found["seconds_to_the_end"] = time.perf_counter() - began
        errors.seek(0)
        if process.returncode or "accuracy" not in found:
            raise UserError((errors.read().strip() or "no word").splitlines()[-1][:200])
    return found


def _rows(runs: Mapping[str, Sequence[Mapping[str, float]]]) -> list[dict[str, Any]]:
    """A row a variant; ratios are of runs of the same round."""
    ours = [run["seconds"] for run in runs["ours"]]
    return [
        {
            "variant": name,
            "seconds": [round(run["seconds"], 2) for run in found],
            "median_seconds": round(statistics.median(run["seconds"] for run in found), 2),
            "median_seconds_to_the_end": round(
                statistics.median(run["seconds_to_the_end"] for run in found), 2
            ),
            "ratio_to_ours": round(
                statistics.median(
                    run["seconds"] / own for run, own in zip(found, ours, strict=True)
                ),
                3,
            ),
            "accuracy": [run["accuracy"] for run in found],
        }
        for name, found in runs.items()
    ]


if __name__ == "__main__":
    run_command(main)
