"""Many seeds of many settings: one process per core, every finished seed stored at once.

Finished seeds are lines of a JSON-lines file, so a sweep can be stopped at any time and then
resumes. Each seed is trained by a process bound to one core: its result does not depend on what
the others do. These processes exit with the one that started them, however it ends.
"""

import dataclasses
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from experiments._machine import bind_to, usable_cores
from experiments._one_seed import run_seed
from experiments._records import Record, append, exclusive_access, read_records
from ffnn_jax._workers import end_with_parent
from ffnn_jax.config import Settings, UserError


def sweep(
    rows: Mapping[str, Settings], seeds: Iterable[int], path: Path, tested: bool = True
) -> None:
    """Runs those seeds of the rows that are not stored yet, and stores each as it finishes.

    Args:
        rows: the settings of each row, by name.
        seeds: the seeds of every row.
        path: the JSON-lines file.
        tested: whether the seeds are evaluated on the test images.

    Raises:
        UserError: another sweep writes this file, it holds a seed with other settings, or
            ``seeds`` is empty.
    """
    seeds = list(seeds)
    if not seeds:
        raise UserError("seeds must be at least 1")
    path.parent.mkdir(parents=True, exist_ok=True)
    with exclusive_access(path):
        finished = _finished(rows, path)
        pending = [(row, seed) for seed in seeds for row in rows if (row, seed) not in finished]
        runs = [(run_seed, row, rows[row], seed, tested) for row, seed in pending]
        for record in _run_on_all_cores(runs):
            append(path, record)


def _finished(rows: Mapping[str, Settings], path: Path) -> set[tuple[str, int]]:
    """The stored (row, seed) pairs, after checking that their settings match."""
    finished = set()
    for record in read_records(path):
        row, seed = record["row"], record["seed"]
        if row in rows:
            expected = dataclasses.replace(
                rows[row], seed=seed, seeds=1, forms=rows[row].forms or ()
            )
            if Settings.from_json(record["settings"]) != expected:
                raise UserError(
                    f"{path} has seed {seed} of {row!r} with other settings: move it away"
                )
            finished.add((row, seed))
    return finished


def _run_on_all_cores(runs: Sequence[tuple[Any, ...]]) -> Iterator[Record]:
    """Calls functions in one process per core; yields results as they complete."""
    console = Console(highlight=False)
    with (
        _pool(usable_cores()) as pool,
        Progress(console=console, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task("training", total=len(runs))
        futures = [pool.submit(*run) for run in runs]
        try:
            for future in as_completed(futures):
                yield future.result()
                bar.advance(task)
                if not console.is_terminal:
                    console.print(_summary_line(future.result()))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise


def _pool(cores: Sequence[int]) -> ProcessPoolExecutor:
    """A pool of one process for each of these cores, bound to it."""
    context = multiprocessing.get_context("spawn")
    free = context.Queue()
    for core in cores:
        free.put(core)
    return ProcessPoolExecutor(len(cores), context, _initialise_worker, (free,))


def run_alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function in a process bound to one core, as a sweep would."""
    with _pool(usable_cores()[:1]) as pool:
        return pool.submit(function, *arguments).result()


def _summary_line(record: Record) -> str:
    name = "test_accuracy" if "test_accuracy" in record else "validation_accuracy"
    return f"{record['row']} seed {record['seed']}: {name.replace('_', ' ')} {record[name]:.4f}"


def _initialise_worker(free: Any) -> None:
    """Binds this process to a free core, and to the lifetime of its parent.

    Interrupts are left to the parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    bind_to([free.get()])
