"""Many seeds of many settings: a process a core, every finished seed stored at once.

Finished seeds are lines of a JSON-lines file, so a sweep can be stopped at any moment and goes on
where it was. A seed is trained by a process that is bound to one core: its result does not depend
on what the others do.
"""

import dataclasses
import json
import multiprocessing
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from filelock import FileLock
from rich.console import Console
from rich.progress import Progress

from ffnn_jax.config import Settings

Key = tuple[str, int]
"""A row's name and a seed."""


def sweep(rows: Mapping[str, Settings], seeds: Iterable[int], path: Path) -> None:
    """Runs what of rows times seeds is not stored yet, and stores each seed as it is finished.

    Args:
        rows: settings by name.
        seeds: the seeds of every row.
        path: the JSON-lines file.
    """
    done = {(record["row"], record["seed"]) for record in read_records(path)}
    waiting = [(row, seed) for seed in seeds for row in rows if (row, seed) not in done]
    console = Console(highlight=False)
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [None]
    context = multiprocessing.get_context("spawn")
    free = context.Queue()
    for core in cores:
        free.put(core)
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        FileLock(path.with_suffix(".lock"), timeout=0),
        ProcessPoolExecutor(len(cores), context, _bind, (free,)) as pool,
        Progress(console=console, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task("training", total=len(waiting))
        futures = [pool.submit(run_seed, row, rows[row], seed) for row, seed in waiting]
        try:
            for future in as_completed(futures):
                record = future.result()
                append(path, record)
                bar.advance(task)
                if not console.is_terminal:
                    console.print(
                        f"{record['row']} seed {record['seed']}: {record['test_accuracy']:.4f}"
                    )
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def run_alone(row: str, settings: Settings, seed: int) -> dict[str, Any]:
    """Runs one seed as the sweep would, in a process bound to one core."""
    context = multiprocessing.get_context("spawn")
    free = context.Queue()
    free.put(min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None)
    with ProcessPoolExecutor(1, context, _bind, (free,)) as pool:
        return pool.submit(run_seed, row, settings, seed).result()


def run_seed(row: str, settings: Settings, seed: int) -> dict[str, Any]:
    """Trains and tests one seed; returns what is stored of it."""
    from ffnn_jax.data import load_splits
    from ffnn_jax.runs import compute, result_of

    settings = dataclasses.replace(settings, seed=seed, seeds=1)
    splits = load_splits(settings.dataset, train_images=settings.train_images)
    outcome = compute(settings, splits, streaming=False)
    result = result_of(outcome)
    one_of_each = (
        "test_accuracy", "validation_accuracy", "train_accuracy", "confusion", "parameters_sha256",
    )  # fmt: skip
    history = [list(record)[1:] for record in outcome.trained.history]
    return {
        "row": row,
        "seed": seed,
        **{name: result[name][0] for name in one_of_each},
        "history": history,
        "compile_seconds": round(result["compile_seconds"], 2),
        "train_seconds": round(result["train_seconds"], 2),
        "settings": settings.to_json(),
        **{name: result[name] for name in ("data_sha256", "parameters", "versions", "device")},
    }


def read_records(path: Path) -> list[dict[str, Any]]:
    """The stored seeds; a last line that was cut off is left out."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line) for line in lines]


def append(path: Path, record: dict[str, Any]) -> None:
    """Adds a seed as one line; what a killed process left of a line is removed first."""
    with path.open("ab+") as file:
        file.seek(0)
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)
        file.write(json.dumps(record).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _bind(free: Any) -> None:
    """Binds this process to a core of its own."""
    core = free.get()
    if core is not None:
        os.sched_setaffinity(0, {core})
