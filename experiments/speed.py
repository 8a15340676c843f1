"""Our training steps against those of other libraries: the same mathematics, one run, ratios.

Command: python -m experiments.speed
Quick: python -m experiments.speed --quick, 2 variants at batch 16, 1 round, results to runs/quick.

Needs the extra "bench" for the peers; a missing one is skipped and reported. Every variant runs in
a separate process that waits while another is timed; rounds are interleaved in rotating order.
A step is forward, backward and update on images in memory. All variants start from the same
weights and see the same batches; the first 20 losses of each must match plain JAX's to 1e-4.
Laps during which other users of the hardware were busy are repeated, for up to a minute.
Plain JAX in a scan, a known weakness of XLA on a CPU, is timed only at batch 16. Results are
stored network by network. ``--draw-only`` redraws from the stored results.
"""

import contextlib
import functools
import itertools
import statistics
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import psutil
from rich.console import Console

from experiments._machine import (
    device_name,
    peak_gflops,
    provenance,
    require_quiet,
    usable_cores,
)
from experiments._noisy_neighbours import NoisyNeighbours
from experiments._results import folder_for, read_result, run_command, write_result
from experiments._speed_figure import draw_speed
from experiments._stopwatch import Lap, Runner, calls_for
from experiments.peers._workload import Workload
from ffnn_jax.config import UserError
from ffnn_jax.network import Network
from ffnn_jax.reporting import save_figure

_CORES = len(usable_cores())
_THREADS = sorted({1, _CORES})
VARIANTS = {
    "ours": "ours", "ours-loop": "ours", "plain": "plain", "plain-scan": "plain",
    "flax": "flax_nnx", "flax-split": "flax_nnx", "equinox": "equinox_", "keras": "keras_",
    **{f"torch{kind}-{n}": "torch_" for kind in ("", "-last", "-compiled") for n in _THREADS},
}  # fmt: skip
WORKLOADS = [
    *(Workload(name, n) for n in (16, 128, 512) for name in ("mnist", "cifar10-0", "cifar10-3")),
    Workload("wide", 32),
]
_ROUNDS, _LAP_SECONDS, _SCANNED_BATCH = 5, 0.5, 16
_LARGEST_DIFFERENCE = 1e-4


def main(quick: bool = False, draw_only: bool = False) -> None:
    """Our training steps against those of other libraries.

    Args:
        quick: smoke test: 2 variants at batch 16.
        draw_only: draw from the stored results without timing.
    """
    folder = folder_for(quick)
    path = folder / f"speed-{device_name()}.json"
    if not draw_only:
        for so_far in measurements(quick):
            write_result(path, so_far)
    result = read_result(path)
    save_figure(draw_speed(rows_of_current_variants(result["rows"])), path.with_suffix(".png"))
    print(f"{len(result['rows'])} rows, figure in {folder}")


def measurements(quick: bool) -> Iterator[dict[str, Any]]:
    """Times every workload; yields the result so far after each.

    Raises:
        UserError: other programs keep the machine busy.
    """
    workloads = WORKLOADS[:1] if quick else WORKLOADS
    rounds = 1 if quick else _ROUNDS
    if not quick:
        require_quiet()
    load, peak = psutil.getloadavg()[0], peak_gflops()
    console = Console(highlight=False)
    result = {
        **provenance(quick),
        "cores": _CORES,
        "load": load,
        "peak_gflops": peak,
        "rounds": rounds,
        "disturbed_laps": 0,
        "skipped": {},
        "rows": [],
    }
    with contextlib.nullcontext() if quick else NoisyNeighbours() as neighbours:
        for workload in workloads:
            variants = dict(itertools.islice(VARIANTS.items(), 2)) if quick else _variants(workload)
            rows, missing = _workload_rows(workload, variants, rounds, neighbours)
            for row in rows:
                result["rows"].append(row | {"share_of_peak": _short(row["gflops"] / peak)})
            result["skipped"] |= missing
            result["disturbed_laps"] = neighbours.disturbed if neighbours else 0
            console.print(f"{workload.network} at batch {workload.batch}: {_best_line(rows)}")
            yield result
    for name, why in result["skipped"].items():
        console.print(f"skipped {name}: {why}")


def rows_of_current_variants(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of variants that still exist, with any number of threads."""
    threads = "-0123456789"
    kinds = {name.rstrip(threads) for name in VARIANTS}
    return [row for row in rows if row["variant"].rstrip(threads) in kinds]


def _variants(workload: Workload) -> dict[str, str]:
    """Every variant, except scans that would take too long."""
    left_out = {"plain-scan"} if workload.batch > _SCANNED_BATCH else set()
    return {name: module for name, module in VARIANTS.items() if name not in left_out}


def _workload_rows(
    workload: Workload,
    variants: dict[str, str],
    rounds: int,
    neighbours: NoisyNeighbours | None = None,
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Times every installed variant; returns the rows, and the skipped variants with reasons."""
    runners, skipped = {}, {}
    try:
        for variant, module in variants.items():
            runner = Runner(f"experiments.peers.{module}", variant, workload)
            try:
                losses = runner.losses()
            except (ImportError, RuntimeError) as error:
                skipped[variant] = str(error)[:200]
                runner.close()
                continue
            runners[variant] = (runner, losses)
        running = {name: runner for name, (runner, _) in runners.items()}
        laps = _laps(running, rounds, neighbours)
        reference = runners["plain" if "plain" in runners else "ours"][1]
        rows = [
            _row(workload, name, laps, runner.costs(), _largest_difference(losses, reference))
            for name, (runner, losses) in runners.items()
        ]
    finally:
        for runner, _ in runners.values():
            runner.close()
    return rows, skipped


def _laps(
    runners: dict[str, Runner], rounds: int, neighbours: NoisyNeighbours | None
) -> dict[str, list[Lap]]:
    """One lap per variant and round, in an order that rotates from round to round."""
    calls = {name: calls_for(_LAP_SECONDS, runner.lap(1)) for name, runner in runners.items()}
    laps: dict[str, list[Lap]] = {name: [] for name in runners}
    for turn in range(rounds):
        for name in _rotated(list(runners), turn):
            lap = functools.partial(runners[name].lap, calls[name])
            laps[name].append(neighbours.undisturbed(lap) if neighbours else lap())
    return laps


def _rotated(names: Sequence[str], turn: int) -> Iterator[str]:
    first = turn * 5 % len(names)
    return itertools.islice(itertools.cycle(names), first, first + len(names))


def _row(
    workload: Workload,
    variant: str,
    laps: dict[str, list[Lap]],
    costs: dict[str, float],
    difference: float,
) -> dict[str, Any]:
    """The stored row of a variant, whose losses must match plain JAX's.

    Raises:
        UserError: they do not.
    """
    if not difference <= _LARGEST_DIFFERENCE:
        where = f"{workload.network} at batch {workload.batch}"
        raise UserError(
            f"{variant}, {where}: its losses differ from plain JAX's by {difference:.1e}"
        )
    seconds = [lap.seconds for lap in laps[variant]]
    pairs = zip(laps[variant], laps["ours"], strict=True)
    ratios = [other.seconds / ours.seconds for other, ours in pairs]
    low, median, high = np.quantile(seconds, [0.25, 0.5, 0.75]).tolist()
    return {
        "network": workload.network,
        "batch": workload.batch,
        "variant": variant,
        "median_ms": _short(1e3 * median),
        "spread": [_short(1e3 * low), _short(1e3 * high)],
        "ratio_to_ours": _short(statistics.median(ratios)),
        "gflops": _short(_flops(workload) / median / 1e9),
        "cores": _short(statistics.median(lap.cores for lap in laps[variant])),
        "losses_apart": float(f"{difference:.1e}"),
        **{name: _short(value) for name, value in costs.items()},
    }


def _largest_difference(losses: Sequence[float], reference: Sequence[float]) -> float:
    """The largest relative difference between two loss trajectories."""
    a, b = np.array(losses), np.array(reference)
    return float(np.max(np.abs(a - b) / np.abs(b)))


def _flops(workload: Workload) -> int:
    summary = Network(workload.layers, workload.input_shape).summary()
    return workload.batch * (summary.forward_flops + summary.backward_flops)


def _best_line(rows: Sequence[dict[str, Any]]) -> str:
    ordered = sorted(rows, key=lambda row: row["median_ms"])
    return ", ".join(f"{row['variant']} {row['median_ms']} ms" for row in ordered[:4])


def _short(value: float) -> float:
    return float(f"{value:.4g}")


if __name__ == "__main__":
    run_command(main)
