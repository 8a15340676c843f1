"""What Dask costs a sweep: seeds of model 3 by the engine of sweeps and by a plain pool.

Command: python -m experiments.sweep_cost
Quick: python -m experiments.sweep_cost --quick, 2 seeds of 3 steps, results to runs/quick.

Needs the data set cifar10 (the quick setting needs none). The two take turns, ten seeds at a time,
each with processes of its own, one bound to each core. Their start is timed apart; a seed counts
until its record is stored.
"""

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from experiments._machine import provenance, require_quiet
from experiments._quick import quick_settings
from experiments._results import folder_for, run_command, write_result
from ffnn_jax._processor import bind_to, core_numbers
from ffnn_jax.config import preset
from ffnn_jax.runs.sweeps import Record, append, run_seed
from ffnn_jax.runs.sweeps._cluster import connected
from ffnn_jax.runs.sweeps._engine import completed

_SEEDS, _BLOCK = 50, 10
Calls = dict[tuple[str, int], tuple[Any, ...]]


def main(quick: bool = False) -> None:
    """What Dask costs a sweep.

    Args:
        quick: smoke test: 2 seeds of 3 steps on mnist_5k.
    """
    result = measure(quick)
    write_result(folder_for(quick) / "sweep_cost.json", result)
    print(sweep_cost_line(result))


def sweep_cost_line(result: Mapping[str, Any]) -> str:
    """Dask's time over the pool's in the same turn: the median, and each turn; starts apart."""
    turns = zip(result["dask"]["seconds"], result["pool"]["seconds"], strict=True)
    ratios = [dask / pool for dask, pool in turns]
    each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    starts = {name: statistics.median(result[name]["start"]) for name in _ENGINES}
    return (
        f"{result['seeds']} seeds of model 3 take Dask {statistics.median(ratios):.3f} times as "
        f"long as a plain pool of processes, the median of turns of {each}, on {result['cores']} "
        f"cores of {result['device'].removeprefix('cpu-')}; starts are not counted, "
        f"{starts['dask']:.1f} s against {starts['pool']:.1f} s."
    )


def measure(quick: bool) -> dict[str, Any]:
    """Seconds of each block, and of the start before it, by both.

    Raises:
        UserError: other programs keep the machine busy.
    """
    if not quick:
        require_quiet()
    settings = quick_settings(preset("mnist")) if quick else preset("cifar10-3")
    seeds, block = (2, 2) if quick else (_SEEDS, _BLOCK)
    found = {name: {"start": [], "seconds": []} for name in _ENGINES}
    for turn, first in enumerate(range(0, seeds, block)):
        calls = {("3", k): (run_seed, "3", settings, k) for k in range(first, first + block)}
        for name in list(_ENGINES)[:: -1 if turn % 2 else 1]:
            for key, seconds in zip(("start", "seconds"), _timed(name, calls), strict=True):
                found[name][key].append(round(seconds, 2))
    return {**provenance(quick), "cores": len(core_numbers()), "seeds": seeds, **found}


def _timed(name: str, calls: Calls) -> tuple[float, float]:
    """Seconds until the processes are ready, and from then until all records are stored."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        records = _ENGINES[name](calls)
        next(records)
        ready = time.perf_counter()
        for record in records:
            append(Path(folder) / "seeds.jsonl", record)
        return ready - began, time.perf_counter() - ready


def _by_pool(calls: Calls) -> Iterator[Record]:
    """The records as they come; first an empty one, when the processes are ready."""
    context, cores = multiprocessing.get_context("spawn"), core_numbers()
    free = context.Queue()
    for core in cores:
        free.put([core])
    with ProcessPoolExecutor(len(cores), context, _take_core, (free,)) as pool:
        list(pool.map(time.sleep, [1.0] * len(cores)))
        yield {}
        for future in as_completed([pool.submit(*call) for call in calls.values()]):
            yield future.result()


def _take_core(free: Any) -> None:
    bind_to(free.get())


def _by_dask(calls: Calls) -> Iterator[Record]:
    with connected(None, len(core_numbers())) as client:
        yield {}
        for _, future in completed(client, calls):
            yield future.result()


_ENGINES: dict[str, Callable[[Calls], Iterator[Record]]] = {"pool": _by_pool, "dask": _by_dask}


if __name__ == "__main__":
    run_command(main)
