"""The parts of a run on an accelerator: each a process of its own, with figures to keep."""

import dataclasses
import functools
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiments._ladder_run import read_lines
from experiments._results import read_result
from ffnn_jax.config import UserError

Figures = dict[str, Any]

LADDER = "cifar10-94"  # the preset whose aim is 94 %
SEEDS = 64
_SEEDS_OF_LADDER = 50
_ROW, _SEEDS_OF_ROW = "cifar10-0", 50
_QUICK_TESTS = ("-n", "0", "tests/test_device.py")
_QUICK_RUN = ("--dataset", "mnist_5k", "--steps", "3")
_COUNTS = re.compile(r"(\d+) (passed|failed|error|skipped|xfailed|deselected)")
_FAILED_TEST = re.compile(r"(?m)^(?:FAILED|ERROR) (\S+)")
_OF_A_RUN = ("preset", "test_accuracy", "compile_seconds", "train_seconds", "images_per_second")
_OF_A_STEP = ("network", "batch", "variant", "median_ms", "spread", "ratio_to_ours")


@dataclasses.dataclass(frozen=True)
class Part:
    """One process.

    Attributes:
        arguments: what follows ``python``.
        figures: what to store, from the output; raises OSError, ValueError, KeyError or a
            UserError if it is not there.
        shares: whether several of its processes use the device at once, so that none may reserve
            most of the memory.
    """

    arguments: tuple[str, ...]
    figures: Callable[[str], Figures]
    shares: bool = False


def parts(
    quick: bool, steps: Path, scratch: Path, record: Path | None = None
) -> dict[str, Part | None]:
    """The parts by name, in order; None for the record without its script.

    Args:
        quick: a few tests and steps, on data that are always there.
        steps: the file that ``experiments.speed`` writes.
        scratch: an existing folder for the folders of runs.
        record: a script of the record's own, if it is there.
    """
    run = functools.partial(_training, scratch, _QUICK_RUN if quick else ())
    tests, speed = (_QUICK_TESTS, ("--quick",)) if quick else ((), ())
    row_seeds, seeds, ladder_seeds = (
        (2, 3, 2) if quick else (_SEEDS_OF_ROW, SEEDS, _SEEDS_OF_LADDER)
    )
    new_steps = functools.partial(_step_figures, steps, time.time())
    return {
        "tests": Part(("-m", "pytest", *tests), figures_of_tests, shares=True),
        "row of Table 3": run("row", _ROW, row_seeds),
        "steps": Part(("-m", "experiments.speed", *speed), new_steps, shares=True),
        "one seed": run("one", "quickstart", 1),
        "many seeds": run("many", "quickstart", seeds),
        "94 %": Part(
            ("-m", "experiments._ladder_run", LADDER, f"{ladder_seeds}", "bf16"), read_lines
        ),
        "record": None
        if record is None
        else Part(("-m", "experiments._record", str(record), f"{ladder_seeds}"), figures_of_record),
    }


def figures_of_tests(output: str) -> Figures:
    """The counts of pytest's last line, and the tests that failed.

    Raises:
        ValueError: pytest has not come to its last line.
    """
    *_, last = output.strip().splitlines() or [""]
    counts = {name: int(count) for count, name in _COUNTS.findall(last)}
    if not counts:
        raise ValueError("no counts of tests")
    return {**counts, "failures": _FAILED_TEST.findall(output)}


def figures_of_record(output: str) -> Figures:
    """The accuracies and seconds of the record's runs, with six views, from its table.

    Raises:
        ValueError: no run came to its end.
    """
    run, ends = "", []
    for line in output.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 3 and cells[2] != "epoch":
            run = cells[1] or run
            if cells[2] == "eval" and run != "warmup":
                ends.append((float(cells[-3]), float(cells[-2])))
    if not ends:
        raise ValueError("no run came to its end")
    accuracies, seconds = map(list, zip(*ends, strict=True))
    return {"seeds": len(ends), "test_accuracy": accuracies, "seconds": seconds}


def _training(scratch: Path, options: tuple[str, ...], name: str, preset: str, seeds: int) -> Part:
    """A run of ``ffnn-jax train`` that compiles everything itself."""
    arguments = ("-m", "ffnn_jax", "train", preset, *options, "--seeds", f"{seeds}", "--no-cache")
    read = functools.partial(_run_figures, scratch / name)
    return Part((*arguments, "--run-dir", f"{scratch / name}"), read)


def _run_figures(folder: Path, output: str) -> Figures:
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return {"seeds": len(result["seeds"]), **{name: result[name] for name in _OF_A_RUN}}


def _step_figures(path: Path, since: float, output: str) -> Figures:
    """The steps of ours, plain JAX and the peers on JAX: PyTorch's are timed on a CPU."""
    result = read_result(path)
    if path.stat().st_mtime < since:
        raise UserError(f"{path} is of an earlier run")
    rows = [row for row in result["rows"] if not row["variant"].startswith("torch")]
    return {
        "rows": [{name: row[name] for name in _OF_A_STEP} for row in rows],
        "skipped": result["skipped"],
    }
