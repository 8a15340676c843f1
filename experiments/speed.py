"""Our training steps against those of other libraries: the same mathematics, one run, ratios.

Command: python -m experiments.speed
Quick: python -m experiments.speed --quick, 2 variants at batch 16, 1 round, results to runs/quick.

Needs the extra "bench" for the peers. One that is missing or fails makes the command fail at its
end, when the others are stored; ``--without keras flax-split`` leaves out peers by name. Every
library is timed in each of its settings, which are printed first, and its fastest counts. Every
variant runs in a separate process that waits while another is timed, and all of these processes
have huge pages (Linux); rounds are interleaved in rotating order.

A step is forward, backward and update on images in memory. All variants start from the same
weights and see the same batches; the first 20 losses of each must match plain JAX's to 1e-4. On the
large networks, whose calls have 2 steps, not 10, only a library's first variant runs all 20, and
its other settings the first 4. Steps in bfloat16 (PyTorch's autocast) are compared with each other;
their first 4 losses must match plain JAX's in float32 to 2e-2. "share_of_peak" is of the faster of
numpy's and JAX's float32 products, in bfloat16 too.

Laps during which other users of the hardware were busy are repeated, for up to a minute. Results
are stored workload by workload, in a file per kind of processor. ``--draw-only`` redraws from the
stored results.
"""

import contextlib
import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import psutil
from rich.console import Console

from experiments._left_out import require_known, require_none_skipped
from experiments._machine import (
    device_name,
    provenance,
    require_quiet,
)
from experiments._noisy_neighbours import NoisyNeighbours
from experiments._peak import peak_gflops
from experiments._results import folder_for, read_result, run_command, write_result
from experiments._speed_figure import draw_speed
from experiments._speed_rows import largest_difference, row_of, short, why_rejected
from experiments._stopwatch import Lap, Runner, calls_for
from experiments._variants import (
    HUGE_PAGES,
    VARIANTS,
    environment_of,
    grid_lines,
    made_as,
    precision_of,
    variants_of,
)
from experiments.peers._workload import NETWORKS, Workload
from ffnn_jax._processor import core_numbers
from ffnn_jax.config import UserError, suggestion
from ffnn_jax.reporting import save_figure

WORKLOADS = [
    *(Workload(name, n) for n in (16, 128, 512) for name in ("mnist", "cifar10-0", "cifar10-3")),
    Workload("wide", 32),
    Workload("narrow94", 512),
    Workload("airbench94", 1024),
]
_ROUNDS, _LAP_SECONDS = 3, 0.5
_LOSSES, _FIRST_LOSSES = 20, 4
_REFERENCES = ("plain", "plain-eigen", "ours")


def main(
    quick: bool = False, draw_only: bool = False, without: Sequence[str] = (), only: str = ""
) -> None:
    """Our training steps against those of other libraries.

    Args:
        quick: smoke test: 2 variants at batch 16.
        draw_only: draw from the stored results without timing.
        without: peers, or variants of them, to leave out.
        only: the one network to time; the stored rows of the others are kept.
    """
    require_known(without, VARIANTS)
    _require_known_network(only)
    folder = folder_for(quick)
    path = folder / f"speed-{device_name()}.json"
    if not draw_only:
        stored = read_result(path)["rows"] if only and path.exists() else []
        kept = [row for row in stored if row["network"] != only]
        for so_far in measurements(quick, without, only):
            write_result(path, {**so_far, "rows": kept + so_far["rows"]})
    result = read_result(path)
    save_figure(draw_speed(rows_of_current_variants(result["rows"])), path.with_suffix(".png"))
    print(f"{len(result['rows'])} rows, figure in {folder}")
    if not draw_only:
        require_none_skipped(result["skipped"])


def measurements(
    quick: bool, without: Sequence[str] = (), only: str = ""
) -> Iterator[dict[str, Any]]:
    """Times every workload; yields the result so far after each.

    Raises:
        UserError: other programs keep the machine busy, or our own step fails.
    """
    chosen = [workload for workload in WORKLOADS if only in ("", workload.network)]
    workloads = chosen[:1] if quick else chosen
    rounds = 1 if quick else _ROUNDS
    if not quick:
        require_quiet()
    load, peak = psutil.getloadavg()[0], peak_gflops()
    console = Console(highlight=False, soft_wrap=True)
    result = {
        **provenance(quick),
        "cores": len(core_numbers()),
        "load": load,
        "peak_gflops": peak,
        "huge_pages_for_every_process": HUGE_PAGES,
        "rounds": rounds,
        "disturbed_laps": 0,
        "without": list(without),
        "skipped": {},
        "rows": [],
    }
    console.print("\n".join(grid_lines(without)), markup=False)
    with contextlib.nullcontext() if quick else NoisyNeighbours() as neighbours:
        for workload in workloads:
            variants = variants_of(workload, without)
            if quick:
                variants = dict(itertools.islice(variants.items(), 2))
            rows, missing = _workload_rows(workload, variants, rounds, neighbours)
            for row in rows:
                share = short(row["gflops"] / peak)
                result["rows"].append(row | {"share_of_peak": share, "commit": result["commit"]})
            result["skipped"] |= missing
            result["disturbed_laps"] = neighbours.disturbed if neighbours else 0
            console.print(f"{_where(workload)}: {_best_line(rows)}")
            yield result


def rows_of_current_variants(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of variants that still exist, with any number of threads."""
    threads = "-0123456789"
    kinds = {name.rstrip(threads) for name in VARIANTS}
    return [row for row in rows if row["variant"].rstrip(threads) in kinds]


def _require_known_network(name: str) -> None:
    if name and name not in NETWORKS:
        known = ", ".join(NETWORKS)
        near = suggestion(name, NETWORKS)
        raise UserError(f"--only: unknown network {name!r} (known: {known}){near}")


def _workload_rows(
    workload: Workload,
    variants: dict[str, str],
    rounds: int,
    neighbours: NoisyNeighbours | None = None,
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Times every variant that runs and is right; returns the rows, and the others with reasons.

    Raises:
        UserError: ours is not among them.
    """
    running: dict[str, Runner] = {}
    try:
        losses, skipped = _started(running, workload, variants)
        apart = _differences(losses)
        for name, difference in apart.items():
            if why := why_rejected(name, difference):
                skipped[name] = f"{_where(workload)}, {why}"
                running.pop(name).close()
        for name in skipped:
            if name.startswith("ours"):
                raise UserError(f"{name}: {skipped[name]}")
        laps = _laps(running, workload.steps, rounds, neighbours)
        rows = [
            row_of(workload, name, laps, runner.costs(), apart[name])
            for name, runner in running.items()
        ]
    finally:
        for runner in running.values():
            runner.close()
    return rows, skipped


def _started(
    running: dict[str, Runner], workload: Workload, variants: dict[str, str]
) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Starts each variant; returns their first losses, and those that failed with reasons."""
    losses: dict[str, list[float]] = {}
    skipped: dict[str, str] = {}
    for name, module in variants.items():
        path = f"experiments.peers.{module}"
        runner = Runner(path, made_as(name), workload, environment_of(name))
        try:
            losses[name] = runner.losses(_losses_of(workload, name, variants))
        except (ImportError, RuntimeError) as error:
            skipped[name] = str(error)[:200]
            runner.close()
        else:
            running[name] = runner
    return losses, skipped


def _losses_of(workload: Workload, variant: str, variants: Iterable[str]) -> int:
    """How many first losses of one of these variants are compared."""
    library = variant.partition("-")[0]
    first = next(name for name in variants if name.partition("-")[0] == library)
    few = precision_of(variant) == "bf16" or (workload.large and variant != first)
    return _FIRST_LOSSES if few else _LOSSES


def _differences(losses: dict[str, list[float]]) -> dict[str, float]:
    """How far each variant's losses are from those of the first reference that is there."""
    reference = next((losses[name] for name in _REFERENCES if name in losses), [])
    return {name: largest_difference(found, reference) for name, found in losses.items()}


def _laps(
    runners: dict[str, Runner], steps: int, rounds: int, neighbours: NoisyNeighbours | None
) -> dict[str, list[Lap]]:
    """One lap per variant and round, in an order that rotates from round to round."""
    calls = {n: calls_for(_LAP_SECONDS, runner.lap(1), steps) for n, runner in runners.items()}
    laps: dict[str, list[Lap]] = {name: [] for name in runners}
    for turn in range(rounds):
        for name in _rotated(list(runners), turn):
            lap = functools.partial(runners[name].lap, calls[name])
            laps[name].append(neighbours.undisturbed(lap) if neighbours else lap())
    return laps


def _rotated(names: Sequence[str], turn: int) -> Iterator[str]:
    first = turn * 5 % len(names)
    return itertools.islice(itertools.cycle(names), first, first + len(names))


def _where(workload: Workload) -> str:
    return f"{workload.network} at batch {workload.batch}"


def _best_line(rows: Sequence[dict[str, Any]]) -> str:
    ordered = sorted(rows, key=lambda row: row["median_ms"])
    return ", ".join(f"{row['variant']} {row['median_ms']} ms" for row in ordered[:4])


if __name__ == "__main__":
    run_command(main)
