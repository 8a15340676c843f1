"""From process start to test accuracy: presets, in ours and two of them in other libraries.

Command: python -m experiments.whole_run
One preset: python -m experiments.whole_run --only cifar10-minute
Quick: python -m experiments.whole_run --quick, a few steps of ours, 1 round, results to runs/quick.

Needs the data set cifar10 (the quick setting needs none) and the extra "bench" for the peers. One
that is missing or fails makes the command fail at its end, when the others are stored; ``--without
flax`` leaves out peers by name. Each run is a fresh process: imports, data, compilation, training,
and the test. Timed is the period until the test accuracy appears on standard output; the time until
exit is stored too. Ours is the command ``ffnn-jax train``, which also validates during training,
and after the test classifies the training images and writes its folder with a page and figures;
"ours" compiles everything, "ours-again" uses the compilation cache.

On the report's model 0 the others are written twice: as a user would following the library's
tutorial, and tuned; tuned Flax runs also with convolutions by Eigen ("-eigen"), and the faster
counts. On cifar10-minute they are PyTorch and plain JAX by Eigen with the same recipe, each run
once, on cifar10-94 PyTorch. Every process has huge pages (Linux). Rounds are interleaved in
rotating order; there is a results file per kind of processor. Of mnist-99 and cifar10-coffee ours
alone is run, once.
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

from experiments._left_out import is_left_out, require_known, require_none_skipped
from experiments._machine import device_name, provenance, require_quiet
from experiments._results import folder_for, read_result, run_command, write_result
from experiments._variants import HUGE_PAGES, environment_of
from experiments.whole._data import PRESET
from experiments.whole._rung import RUNGS
from ffnn_jax.config import UserError, suggestion

_MINUTE, _TO_94 = RUNGS
_TEST_ACCURACY = re.compile(r"test.accuracy\D+([\d.]+)")
_OURS = (sys.executable, "-m", "ffnn_jax", "train")
Runs = dict[str, tuple[str, ...]]
"""The command of each variant."""


def _ours(preset: str) -> Runs:
    return {"ours": (*_OURS, preset, "--no-cache"), "ours-again": (*_OURS, preset)}


def _peer(module: str, *options: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"experiments.whole.{module}", *options)


VARIANTS: dict[str, Runs] = {
    PRESET: {
        **_ours(PRESET),
        **{
            name.replace("_", "-"): _peer(name)
            for name in ("torch_user", "torch_tuned", "flax_user", "flax_tuned")
        },
        "flax-tuned-eigen": _peer("flax_tuned"),
    },
    _MINUTE: {
        **_ours(_MINUTE),
        "ours-bf16": (*_OURS, _MINUTE, "--precision", "bf16"),
        "torch-rung": _peer("torch_rung"),
        "torch-rung-bf16": _peer("torch_rung", "--bf16"),
        "plain-rung-eigen": _peer("plain_rung"),
    },
    "mnist-99": {"ours": _ours("mnist-99")["ours"]},
    "cifar10-coffee": {"ours": _ours("cifar10-coffee")["ours"]},
    _TO_94: {"ours": _ours(_TO_94)["ours"], "torch-rung": _peer("torch_rung", "--rung", _TO_94)},
}
_ROUNDS = {PRESET: 3}
_ALL = tuple(dict.fromkeys(name for runs in VARIANTS.values() for name in runs))


def main(quick: bool = False, without: Sequence[str] = (), only: str = "") -> None:
    """Whole runs of presets, in ours and other libraries.

    Args:
        quick: smoke test: a few steps of ours.
        without: peers, or variants of them, to leave out.
        only: the one preset to run; the stored rows of the others are kept.
    """
    require_known(without, _ALL)
    _require_known_preset(only)
    path = folder_for(quick) / f"whole-run-{device_name()}.json"
    stored = read_result(path)["rows"] if only and path.exists() else []
    kept = [row for row in stored if row["preset"] != only]
    result = measure(quick, without, only)
    write_result(path, {**result, "rows": kept + result["rows"]})
    print(f"results in {path}")
    require_none_skipped(result["skipped"])


def measure(quick: bool, without: Sequence[str] = (), only: str = "") -> dict[str, Any]:
    """Runs every variant of each preset in turn.

    Raises:
        UserError: other programs keep the machine busy, or our own run fails.
    """
    if quick:
        presets = {"quickstart": {"ours": (*_OURS, "--steps", "3", "--no-cache")}}
    else:
        require_quiet()
        presets = {
            preset: {n: run for n, run in runs.items() if not is_left_out(n, without)}
            for preset, runs in VARIANTS.items()
            if only in ("", preset)
        }
    rows, skipped = list[dict[str, Any]](), dict[str, str]()
    for preset, variants in presets.items():
        print(f"{preset}, each library's fastest of a kind counts: {', '.join(variants)}")
        runs, missing = _rounds(variants, _ROUNDS.get(preset, 1))
        rows += [{"preset": preset, **row} for row in _rows(runs)]
        skipped |= missing
    return {
        **provenance(quick),
        "huge_pages_for_every_process": HUGE_PAGES,
        "without": list(without),
        "skipped": skipped,
        "rows": rows,
    }


def _require_known_preset(name: str) -> None:
    if name and name not in VARIANTS:
        known = ", ".join(VARIANTS)
        near = suggestion(name, VARIANTS)
        raise UserError(f"--only: unknown preset {name!r} (known: {known}){near}")


def _rounds(
    variants: Mapping[str, Sequence[str]], rounds: int
) -> tuple[dict[str, list[dict[str, float]]], dict[str, str]]:
    """The runs of each variant, and the skipped variants with reasons."""
    console = Console(highlight=False)
    runs: dict[str, list[dict[str, float]]] = {}
    skipped: dict[str, str] = {}
    for round_number in range(rounds):
        names = [name for name in variants if name not in skipped]
        for name in names[round_number % len(names) :] + names[: round_number % len(names)]:
            try:
                run = _run(variants[name], environment_of(name))
            except UserError as error:
                skipped[name] = str(error)
                console.print(f"skipped {name}: {error}")
                continue
            runs.setdefault(name, []).append(run)
            console.print(f"{name}: {run['seconds']:.1f} s, accuracy {run['accuracy']:.4f}")
    if "ours" in skipped:
        raise UserError(f"ours: {skipped['ours']}")
    return {name: run for name, run in runs.items() if name not in skipped}, skipped


def _run(command: Sequence[str], environment: Mapping[str, str]) -> dict[str, float]:
    """The test accuracy of a process, and the seconds from its start to the accuracy and to exit.

    The process has this environment beside that of this one.

    Raises:
        UserError: the process failed.
    """
    result: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as errors:
        options = ["--run-dir", f"{folder}/run"] if "ffnn_jax" in command else []
        began = time.perf_counter()
        with subprocess.Popen(
            [*command, *options],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **environment, "PYTHONUNBUFFERED": "1"},
        ) as process:
            for line in process.stdout or ():
                if match := _TEST_ACCURACY.search(line):
                    seconds = time.perf_counter() - began
                    result = {"seconds": seconds, "accuracy": float(match[1])}
        result["seconds_to_the_end"] = time.perf_counter() - began
        errors.seek(0)
        if process.returncode or "accuracy" not in result:
            raise UserError((errors.read().strip() or "no error message").splitlines()[-1][:200])
    return result


def _rows(runs: Mapping[str, Sequence[Mapping[str, float]]]) -> list[dict[str, Any]]:
    """One row per variant; ratios compare runs of the same round."""
    ours = [run["seconds"] for run in runs["ours"]]
    return [
        {
            "variant": name,
            "seconds": [round(run["seconds"], 2) for run in runs_of_variant],
            "median_seconds": round(
                statistics.median(run["seconds"] for run in runs_of_variant), 2
            ),
            "median_seconds_to_the_end": round(
                statistics.median(run["seconds_to_the_end"] for run in runs_of_variant), 2
            ),
            "ratio_to_ours": round(
                statistics.median(
                    run["seconds"] / reference
                    for run, reference in zip(runs_of_variant, ours, strict=True)
                ),
                3,
            ),
            "accuracy": [run["accuracy"] for run in runs_of_variant],
        }
        for name, runs_of_variant in runs.items()
    ]


if __name__ == "__main__":
    run_command(main)
