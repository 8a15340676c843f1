"""From enter to something on the screen: the help, the first step, a verified layer, a prediction.

Command: python -m experiments.start
Beside another checkout: python -m experiments.start --before FOLDER, in turn, in every round.
Quick: python -m experiments.start --quick, 1 round of two commands, results to runs/quick.

Each run is a fresh process. "train" is ``ffnn-jax train`` on the digits that are installed with the
package, until its first progress line, which follows the first ten steps; "train, again" finds its
programs in the cache. The other commands are timed until they have ended. Stored are seconds by
the clock, and those of all cores; the ratio is the median of those within a round, so that other
programs disturb it little.
"""

import contextlib
import dataclasses
import itertools
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from experiments._machine import device_name, provenance
from experiments._results import folder_for, run_command, write_result
from ffnn_jax._processor import core_numbers
from ffnn_jax.config import UserError
from ffnn_jax.data import sample_digit

_ROUNDS = 5
_HERE = Path(__file__).parents[1]
Lap = tuple[float, float]
"""Seconds by the clock, and of all cores."""


@dataclasses.dataclass(frozen=True)
class Case:
    """A command of ``ffnn-jax``; RUN in it is a trained run's folder.

    Attributes:
        until: how the line begins at whose appearance the time ends; None for the end.
    """

    arguments: tuple[str, ...]
    until: str | None = None


CASES = {
    "--help": Case(("--help",)),
    "train": Case(("train", "--no-cache"), "step "),
    "train, again": Case(("train",), "step "),
    "verify --layer relu": Case(("verify", "--layer", "relu")),
    "predict, a picture": Case(("predict", "RUN", str(sample_digit()))),
}
_QUICK = ("--help", "predict, a picture")


def main(quick: bool = False, before: Path | None = None) -> None:
    """From enter to something on the screen.

    Args:
        quick: smoke test: 1 round of two commands.
        before: another checkout of this repository, to be timed in turn with this one.
    """
    checkouts = {"now": _HERE} if before is None else {"before": before, "now": _HERE}
    result = measure(checkouts, _QUICK if quick else tuple(CASES), 1 if quick else _ROUNDS)
    path = folder_for(quick) / f"start-{device_name()}.json"
    write_result(path, {**provenance(quick), "cores": len(core_numbers()), **result})
    print(start_table(result["rows"]))


def measure(checkouts: Mapping[str, Path], names: Sequence[str], rounds: int) -> dict[str, Any]:
    """Times the commands of every checkout in turn.

    Raises:
        UserError: a command failed.
    """
    laps: dict[tuple[str, str], list[Lap]] = {}
    load = psutil.getloadavg()[0]
    with contextlib.ExitStack() as stack:
        homes = {which: stack.enter_context(_home(path)) for which, path in checkouts.items()}
        for name, which in itertools.product(list(names) * rounds, checkouts):
            lap = _lap(CASES[name], checkouts[which], homes[which])
            laps.setdefault((name, which), []).append(lap)
    rows = [
        _row(name, which, found, laps[name, next(iter(checkouts))])
        for (name, which), found in laps.items()
    ]
    return {"rounds": rounds, "load": round(load, 1), "rows": rows}


def start_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table: a line for each command, seconds before and now."""
    lines = ["| command | before, s | now, s | ratio |", "| --- | ---: | ---: | ---: |"]
    for name in dict.fromkeys(row["command"] for row in rows):
        found = {row["checkout"]: row for row in rows if row["command"] == name}
        before, now = (_cell(found.get(which)) for which in ("before", "now"))
        ratio = f"{found['now']['ratio']:.2f}" if "before" in found else "–"
        lines.append(f"| `ffnn-jax {name}` | {before} | {now} | {ratio} |")
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def _home(checkout: Path) -> Iterator[Path]:
    """A folder for the caches and runs of a checkout, with a trained run, RUN, and warm caches."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        trained = Case(("train", "--steps", "3", "--run-dir", f"{home / 'RUN'}"))
        for case in (trained, CASES["predict, a picture"]):
            _lap(case, checkout, home)
        yield home


def _lap(case: Case, checkout: Path, home: Path) -> Lap:
    """Seconds of a command by the clock, and of all cores."""
    words = [str(home / word) if word == "RUN" else word for word in case.arguments]
    options = []
    if case.until is not None:
        options = ["--run-dir", tempfile.mkdtemp(dir=home) + "/run"]
    environment = os.environ | {
        "XDG_CACHE_HOME": str(home / "cache"), "PYTHONPATH": str(checkout), "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    command = [sys.executable, "-m", "ffnn_jax", *words, *options]
    began = time.perf_counter()
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=checkout,
            env=environment,
        ) as process,
    ):  # fmt: skip
        seen = _wait_for(process, case.until)
        if case.until is not None:
            os.kill(process.pid, signal.SIGKILL)  # which leaves it to wait4
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if not seen or (case.until is None and process.returncode):
            errors.seek(0)
            raise UserError(f"ffnn-jax {' '.join(words)}: {errors.read().strip()[-300:]}")
    return seconds, usage.ru_utime + usage.ru_stime


def _wait_for(process: subprocess.Popen[str], until: str | None) -> bool:
    """Reads until a line begins so, or to the end; returns whether it has found that."""
    assert process.stdout is not None
    for line in process.stdout:
        if until is not None and line.startswith(until):
            return True
    return until is None


def _row(name: str, which: str, laps: Sequence[Lap], first: Sequence[Lap]) -> dict[str, Any]:
    """The laps of a command; the ratio is to the first checkout's lap of the same round."""
    seconds, cores = ([round(value, 3) for value in values] for values in zip(*laps, strict=True))
    ratios = [lap[0] / other[0] for lap, other in zip(laps, first, strict=True)]
    return {
        "command": name,
        "checkout": which,
        "median_seconds": statistics.median(seconds),
        "spread": [min(seconds), max(seconds)],
        "median_core_seconds": statistics.median(cores),
        "ratio": round(statistics.median(ratios), 3),
    }


def _cell(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "–"
    low, high = row["spread"]
    return f"{row['median_seconds']:.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    run_command(main)
