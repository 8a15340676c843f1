"""Data-parallel steps on several devices: what they sum, what that costs here, and predictions.

Command: python -m experiments.scaling
Times: python -m experiments.scaling --time, on an idle machine.
Quick: python -m experiments.scaling --quick, 1 network; with --time 1 round; to runs/quick.

The command reads the bytes that a step sums over its devices out of the compiled program, and from
them and published numbers predicts the efficiency on 8, 64 and 512 accelerators: the formulas are
those of ``_scaling_model``, the inputs those of ``_scaling_inputs``. Each prediction is stored
beside an empty "measured_ms", for the first who has such machines; running again keeps what is
there. ``--time`` times a step of the whole batch on 1, 2, 4 and 8 virtual devices of this
processor, and in 2 processes, in turn.
"""

import multiprocessing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments._machine import device_name, provenance, require_quiet
from experiments._results import RESULTS, folder_for, read_result, run_command, write_result
from experiments._scaling_figure import draw_scaling
from experiments._scaling_inputs import LARGE, accelerators, start_and_utilisation
from experiments._scaling_model import Accelerator, Work, efficiency, step_of, strong_and_weak
from experiments._scaling_step import facts
from experiments._scaling_times import PLACES, Timing, time_rows
from ffnn_jax._processor import core_numbers
from ffnn_jax.config import preset
from ffnn_jax.reporting import save_figure

NETWORKS = ("cifar10-3", "cifar10-minute", "cifar10-coffee", LARGE)
COUNTS = (8, 64, 512)
_TIMED = {name: Timing(4, 3, 4) for name in NETWORKS[:-1]} | {NETWORKS[0]: Timing(4, 3, 100)}
_READ_ON = 8
H200 = RESULTS / "accelerator-gpu-nvidia-h200.json"
Row = dict[str, Any]


def main(quick: bool = False, time: bool = False) -> None:
    """Data-parallel steps on several devices: what they sum, what that costs, and predictions.

    Args:
        quick: smoke test with one network.
        time: time the steps on this processor instead; needs an idle machine.
    """
    if time:
        _time(quick)
        return
    path = folder_for(quick) / "scaling.json"
    names = (NETWORKS[0], LARGE) if quick else NETWORKS
    found = [_alone(facts, name, _READ_ON) for name in names]
    before = read_result(path)["predictions"] if path.exists() else []
    write_result(path, {**_alone(provenance, quick), **predictions(found, before)})
    save_figure(draw_scaling(works(found), where(found)), path.with_suffix(".png"))
    print(f"predictions in {path}")


def works(networks: Sequence[Mapping[str, Any]]) -> dict[str, Work]:
    """Each network's work, from the stored facts; the last round is that of the gradients."""
    names = ("batch", "operations", "update", "parameters", "statistics")
    return {
        row["network"]: Work(*(row[name] for name in names), rounds=row["rounds"] - 1)
        for row in networks
    }


def where(networks: Sequence[Mapping[str, Any]]) -> dict[str, Accelerator]:
    """The accelerators, with start and utilisation from the stored run of an H200."""
    steps = {name: preset(name).steps for name in (LARGE, "quickstart")}
    return accelerators(*start_and_utilisation(read_result(H200), steps, works(networks)[LARGE]))


def predictions(networks: Sequence[Row], before: Sequence[Row]) -> dict[str, Any]:
    """Facts, the two inputs from the H200, and a row for each prediction.

    What was measured before stays beside its prediction.
    """
    measured = {_key(row): row["measured_ms"] for row in before}
    rows = [
        _prediction(name, work, kind, accelerator, count, mode)
        for name, work in works(networks).items()
        for kind, accelerator in where(networks).items()
        for count in COUNTS
        for mode in ("strong", "weak")
    ]
    one = next(iter(where(networks).values()))
    return {
        "networks": list(networks),
        "start_seconds": one.start,
        "utilisation": one.utilisation,
        "predictions": [{**row, "measured_ms": measured.get(_key(row))} for row in rows],
    }


def _prediction(
    network: str, work: Work, kind: str, accelerator: Accelerator, count: int, mode: str
) -> Row:
    """The predicted milliseconds of a step and its parts; None where there can be no step."""
    scaled = strong_and_weak(work, count)[mode]
    step, part = step_of(scaled, accelerator, count), efficiency(work, accelerator, count, mode)
    row = {"network": network, "accelerator": kind, "devices": count, "mode": mode}
    if step is None or part is None:
        return {**row, "batch": scaled.batch, "predicted_ms": None}
    names = ("seconds", "compute", "statistics", "gradients", "overlapped")
    times = {name: float(f"{1e3 * getattr(step, name):.4g}") for name in names}
    return {
        **row,
        "batch": scaled.batch,
        "predicted_ms": times.pop("seconds"),
        **{f"{name}_ms": value for name, value in times.items()},
        "efficiency": round(part, 6),
    }


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("network", "accelerator", "devices", "mode"))


def _time(quick: bool) -> None:
    if not quick:
        require_quiet()
    timed, places = _TIMED, PLACES
    if quick:
        timed, places = {NETWORKS[0]: Timing(1, 1, 2)}, (PLACES[0], PLACES[1], PLACES[-1])
    rows = []
    for name, timing in timed.items():
        rows += time_rows(preset(name), places, timing)
    where = _alone(device_name)
    path: Path = folder_for(quick) / f"scaling-{where}.json"
    write_result(
        path,
        {**_alone(provenance, quick), "cores": len(core_numbers()), "rows": rows},
    )
    for row in rows:
        print(f"{row['network']}, {row['place']}: {row['median_ms']} ms a step")


def _alone(function: Any, *arguments: Any) -> Any:
    """Calls a function in a process of its own, which sets how many devices jax has."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


if __name__ == "__main__":
    run_command(main)
