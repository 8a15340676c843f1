"""Many seeds of many settings: a process a core, every finished seed stored at once.

Finished seeds are lines of a JSON-lines file, so a sweep can be stopped at any moment and goes on
where it was. A seed is trained by a process that is bound to one core: its result does not depend
on what the others do. These processes end with the one that started them, however it ends.
"""

import dataclasses
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from experiments._machine import bind_to, usable_cores
from experiments._one_seed import run_seed
from experiments._records import Record, alone_with, append, read_records
from ffnn_jax.config import Settings, UserError


def sweep(
    rows: Mapping[str, Settings], seeds: Iterable[int], path: Path, tested: bool = True
) -> None:
    """Runs what of rows times seeds is not stored yet, and stores each seed as it is finished.

    Args:
        rows: settings by name.
        seeds: the seeds of every row.
        path: the JSON-lines file.
        tested: whether the test images are looked at.

    Raises:
        UserError: another sweep writes this file, it holds a seed with other settings, or there is
            no seed to run.
    """
    seeds = list(seeds)
    if not seeds:
        raise UserError("seeds must be at least 1")
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone_with(path):
        done = _done(rows, path)
        waiting = [(row, seed) for seed in seeds for row in rows if (row, seed) not in done]
        runs = [(run_seed, row, rows[row], seed, tested) for row, seed in waiting]
        for record in _on_every_core(runs):
            append(path, record)


def _done(rows: Mapping[str, Settings], path: Path) -> set[tuple[str, int]]:
    """The stored rows and seeds of these settings, once they are found to be what is asked for."""
    done = set()
    for record in read_records(path):
        row, seed = record["row"], record["seed"]
        if row in rows:
            asked = dataclasses.replace(rows[row], seed=seed, seeds=1)
            if Settings.from_json(record["settings"]) != asked:
                raise UserError(
                    f"{path} has seed {seed} of {row!r} with other settings: move it away"
                )
            done.add((row, seed))
    return done


def _on_every_core(runs: Sequence[tuple[Any, ...]]) -> Iterator[Record]:
    """Calls functions with their arguments, a process a core; yields results as they come."""
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
                    console.print(_line(future.result()))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise


def _pool(cores: Sequence[int]) -> ProcessPoolExecutor:
    """A process for each of these cores, bound to it."""
    context = multiprocessing.get_context("spawn")
    free = context.Queue()
    for core in cores:
        free.put(core)
    return ProcessPoolExecutor(len(cores), context, _begin, (free,))


def run_alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function as a sweep would, in a process bound to one core."""
    with _pool(usable_cores()[:1]) as pool:
        return pool.submit(function, *arguments).result()


def _line(record: Record) -> str:
    name = "test_accuracy" if "test_accuracy" in record else "validation_accuracy"
    return f"{record['row']} seed {record['seed']}: {name.replace('_', ' ')} {record[name]:.4f}"


def _begin(free: Any) -> None:
    """Binds this process to a core of its own, and to the life of the one that started it.

    An interruption is that one's to hear.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    bind_to([free.get()])


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
