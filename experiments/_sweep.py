"""Many seeds of many settings: a process a core, every finished seed stored at once.

Finished seeds are lines of a JSON-lines file, so a sweep can be stopped at any moment and goes on
where it was. A seed is trained by a process that is bound to one core: its result does not depend
on what the others do. These processes end with the one that started them, however it ends.
"""

import contextlib
import dataclasses
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import Progress

from ffnn_jax.config import Conv, Layer, Refusal, Settings

Key = tuple[str, int]
"""A row's name and a seed."""


def sweep(
    rows: Mapping[str, Settings],
    seeds: Iterable[int],
    path: Path,
    tested: bool = True,
) -> None:
    """Runs what of rows times seeds is not stored yet, and stores each seed as it is finished.

    Args:
        rows: settings by name.
        seeds: the seeds of every row.
        path: the JSON-lines file.
        tested: whether the test images are looked at.

    Raises:
        Refusal: another sweep writes this file, it holds a seed with other settings, or there is
            no seed to run.
    """
    seeds = list(seeds)
    if not seeds:
        raise Refusal("seeds must be at least 1")
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone_with(path):
        done = _done(rows, path)
        waiting = [(row, seed) for seed in seeds for row in rows if (row, seed) not in done]
        runs = [(run_seed, row, rows[row], seed, tested) for row, seed in waiting]
        for record in _on_every_core(runs):
            append(path, record)


def _done(rows: Mapping[str, Settings], path: Path) -> set[Key]:
    """The stored seeds of these rows, once they are found to be what is asked for."""
    done = set()
    for record in read_records(path):
        row, seed = record["row"], record["seed"]
        if row in rows:
            asked = dataclasses.replace(rows[row], seed=seed, seeds=1)
            if Settings.from_json(record["settings"]) != asked:
                raise Refusal(
                    f"{path} has seed {seed} of {row!r} with other settings: move it away"
                )
            done.add((row, seed))
    return done


def _on_every_core(runs: Sequence[tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    """Calls functions with their arguments, a process a core; yields results as they come."""
    console = Console(highlight=False)
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [None]
    with (
        _pool(cores) as pool,
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


def _pool(cores: Sequence[int | None]) -> ProcessPoolExecutor:
    """A process for each of these cores, bound to it."""
    context = multiprocessing.get_context("spawn")
    free = context.Queue()
    for core in cores:
        free.put(core)
    return ProcessPoolExecutor(len(cores), context, _begin, (free,))


def run_alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function as a sweep would, in a process bound to one core."""
    core = min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    with _pool([core]) as pool:
        return pool.submit(function, *arguments).result()


def run_seed(row: str, settings: Settings, seed: int, tested: bool = True) -> dict[str, Any]:
    """Trains one seed, and tests it unless told not to; returns what is stored of it."""
    return record_of(row, outcome_of(settings, seed, tested), tested)


def outcome_of(settings: Settings, seed: int, tested: bool = True) -> Any:
    """Trains one seed; without ``tested`` a training image stands in for the test images."""
    from ffnn_jax.data import load_splits
    from ffnn_jax.runs import compute, keep_compiled_programs

    keep_compiled_programs()
    settings = dataclasses.replace(settings, seed=seed, seeds=1)
    splits = load_splits(settings.dataset, train_images=settings.train_images)
    if not tested:
        splits = splits._replace(test=_first_of(splits.train))
    return compute(settings, splits, streaming=False)


def record_of(row: str, outcome: Any, tested: bool = True) -> dict[str, Any]:
    """What is stored of a seed."""
    from ffnn_jax.runs import device, versions

    (model,), trained = outcome.models, outcome.trained
    looked_at = outcome.splits if tested else outcome.splits[:2]
    return {
        "row": row,
        "seed": outcome.settings.seed,
        **(_test_results(outcome) if tested else {}),
        "validation_accuracy": outcome.validation_accuracy[0],
        "train_accuracy": outcome.train_accuracy[0],
        "parameters_sha256": model.parameters_sha256,
        "history": [list(record)[1:] for record in trained.history],
        "compile_seconds": round(trained.compile_seconds, 2),
        "train_seconds": round(trained.train_seconds, 2),
        "settings": outcome.settings.to_json(),
        "data_sha256": {part.name: part.sha256 for part in looked_at if part is not None},
        "parameters": model.network.summary().parameters,
        "versions": versions(),
        "device": device(),
    }


def quickly(settings: Settings) -> Settings:
    """Three steps of narrow layers on the installed digits, to see it work."""
    few = {"dataset": "mnist_5k", "steps": 3, "validation_interval": 3}
    return dataclasses.replace(settings, layers=narrow(settings.layers), **few)


def narrow(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """The same layers with two filters of 3 by 3, which compile in half of the time."""
    return tuple(
        dataclasses.replace(one, filters=2, size=3) if isinstance(one, Conv) else one
        for one in layers
    )


def read_records(path: Path) -> list[dict[str, Any]]:
    """The stored seeds; a last line that was cut off is left out.

    Raises:
        Refusal: another line is damaged, or a seed is stored twice.
    """
    if not path.exists():
        return []
    *lines, _ = path.read_text(encoding="utf-8").split("\n")
    records = [_record(path, number, line) for number, line in enumerate(lines, start=1)]
    found = set()
    for number, record in enumerate(records, start=1):
        key = record["row"], record["seed"]
        if key in found:
            raise Refusal(f"{path}, line {number}: seed {key[1]} of {key[0]!r} is stored twice")
        found.add(key)
    return records


def _record(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
        return record | {"row": record["row"], "seed": record["seed"]}
    except (ValueError, TypeError, KeyError) as error:
        raise Refusal(f"{path}, line {number}: damaged ({error}): remove the line") from None


def append(path: Path, record: dict[str, Any]) -> None:
    """Adds a seed as one line; what a killed process left of a line is removed first."""
    with path.open("ab+") as file:
        file.seek(0)
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)
        file.write(json.dumps(record).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _alone_with(path: Path) -> Iterator[None]:
    """Keeps a second sweep away from the file."""
    lock = FileLock(path.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Refusal(f"{path} is being written by another sweep") from None
    try:
        yield
    finally:
        lock.release()


def _test_results(outcome: Any) -> dict[str, Any]:
    (confusion,) = outcome.confusions
    return {"test_accuracy": outcome.test_accuracy[0], "confusion": confusion.tolist()}


def _first_of(images: Any) -> Any:
    """Stands in for the test images where nothing may be read from them."""
    return dataclasses.replace(images, images=images.images[:1], labels=images.labels[:1])


def _line(record: dict[str, Any]) -> str:
    name = "test_accuracy" if "test_accuracy" in record else "validation_accuracy"
    return f"{record['row']} seed {record['seed']}: {name.replace('_', ' ')} {record[name]:.4f}"


def _begin(free: Any) -> None:
    """Binds this process to a core of its own, and to the life of the one that started it.

    An interruption is that one's to hear.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    core = free.get()
    if core is not None:
        os.sched_setaffinity(0, {core})


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
