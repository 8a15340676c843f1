"""What has to be known of an accelerator, in one command: tests, accuracies and times.

Command: python -m experiments.accelerator
Some parts: python -m experiments.accelerator steps "many seeds"
Quick: python -m experiments.accelerator --quick, on any device, a few steps, results to runs/quick.

The parts are the tests; model 0 of Table 3, all its seeds in one program; the step table of
``experiments.speed``; one seed and 64 seeds of the quickstart network; the run that aims at 94 %,
50 seeds in bfloat16; and a script of the record's own, if ``--record`` names it. Needs a jax device
other than a CPU, the data set cifar10, and the extras "test" and "bench". Each part is a process of
its own and is stored as soon as it has ended, so one that fails loses no other; the command then
exits with 1.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

import tyro

from experiments._accelerator_parts import Part, parts
from experiments._machine import provenance
from experiments._results import folder_for, read_result, run_command, write_result
from ffnn_jax.config import UserError, suggestion
from ffnn_jax.runs.sweeps import run_alone

NOT_RUN = "not run"
_MOST_SECONDS = 2 * 60 * 60
_LAST_LINES = 20


def main(
    names: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    quick: bool = False,
    record: Path | None = None,
) -> None:
    """What has to be known of an accelerator, in one command.

    Args:
        names: the parts to run; by default all.
        quick: smoke test on any device: a few tests and steps.
        record: a script of KellerJordan/cifar10-airbench, to be timed in the same hour.
    """
    where = run_alone(provenance, quick)  # this process must not hold the device
    if not quick:
        require_accelerator(where["device"])
    path = folder_for(quick) / f"accelerator-{where['device']}.json"
    with tempfile.TemporaryDirectory() as scratch:
        steps = path.with_name(f"speed-{where['device']}.json")
        found = _chosen(parts(quick, steps, Path(scratch), record), names)
        failed = [
            name for name, part in found.items() if not _run_and_store(path, where, name, part)
        ]
    print(f"results in {path}")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
        sys.exit(1)


def require_accelerator(device: str) -> None:
    """Raises a UserError if the device, as ``device_name`` names it, is a CPU."""
    if device.startswith("cpu"):
        raise UserError(f"jax has no accelerator here, only {device}: --quick runs on any device")


def run_part(part: Part) -> dict[str, Any]:
    """Runs a part; returns its command, exit code, seconds and figures, or what went wrong.

    The exit code is None if the part took two hours.
    """
    environment = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"} if part.shares else {}
    began = time.perf_counter()
    exit_code, output = _output([sys.executable, *part.arguments], os.environ | environment)
    result = {
        "command": " ".join(["python", *part.arguments]),
        "exit_code": exit_code,
        "seconds": round(time.perf_counter() - began, 1),
    }
    try:
        result["figures"] = part.figures(output)
    except (OSError, ValueError, KeyError, UserError) as error:
        result["problem"] = f"no figures: {error!r}"
    if not succeeded(result):
        result["last_lines"] = [line[:300] for line in output.splitlines()[-_LAST_LINES:]]
    return result


def succeeded(result: dict[str, Any]) -> bool:
    """Whether a stored part exited with 0 and has its figures."""
    return result["exit_code"] == 0 and "figures" in result


def _output(command: list[str], environment: dict[str, str]) -> tuple[int | None, str]:
    """The exit code of a process, None if it took too long, and what it printed."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as file:
        try:
            exit_code = subprocess.run(
                command, check=False, stdout=file, stderr=subprocess.STDOUT,
                timeout=_MOST_SECONDS, env=environment,
            ).returncode  # fmt: skip
        except subprocess.TimeoutExpired:
            exit_code = None
        file.seek(0)
        return exit_code, file.read()


def _chosen(found: dict[str, Part | None], names: Collection[str]) -> dict[str, Part | None]:
    """The parts of these names, in order; all if no name is given."""
    for name in names:
        if name not in found:
            known = ", ".join(found)
            raise UserError(f"unknown part {name!r} (known: {known}){suggestion(name, found)}")
    return {name: part for name, part in found.items() if not names or name in names}


def _run_and_store(path: Path, where: dict[str, Any], name: str, part: Part | None) -> bool:
    """Runs a part and stores it beside the others; returns whether it has not failed."""
    print(f"{name}: {'running' if part else NOT_RUN}", flush=True)
    result = read_result(path) if path.exists() else {"parts": {}}
    result = {"quick": where["quick"], "device": where["device"], "parts": result["parts"]}
    result["parts"][name] = NOT_RUN
    fine = True
    if part is not None:
        ran = run_part(part)
        fine = succeeded(ran)
        result["parts"][name] = ran | {k: where[k] for k in ("device", "commit", "versions")}
        print(f"{name}: {'done' if fine else 'FAILED'} in {ran['seconds']:.0f} s", flush=True)
    write_result(path, result)
    return fine


if __name__ == "__main__":
    run_command(main)
