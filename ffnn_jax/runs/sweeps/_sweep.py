"""Many seeds of many settings: every finished seed is stored at once.

Finished seeds are lines of a JSON-lines file, so a sweep can be stopped at any time and then
resumes. On this machine each seed is trained by a process bound to one core: its result does not
depend on what the others do. Only the process that started the sweep writes the file.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, TimeRemainingColumn

from ffnn_jax._console import plain_console, progress_bar
from ffnn_jax.config import FailedSeedsError, Settings, UserError
from ffnn_jax.nn._chain import with_nested
from ffnn_jax.runs.sweeps._engine import Call, Key, outcomes
from ffnn_jax.runs.sweeps._one_seed import run_seed
from ffnn_jax.runs.sweeps._records import Record, append, exclusive_access, read_records


def sweep(
    rows: Mapping[str, Settings],
    seeds: Iterable[int],
    path: Path,
    tested: bool = True,
    scheduler: str | None = None,
    console: Console | None = None,
) -> None:
    """Runs those seeds of the rows that are not stored yet, and stores each as it finishes.

    A seed whose worker process is killed is trained again. Seeds that fail spare the others; they
    and their reasons are in a file beside, as in table.failed.jsonl, and the next call tries them
    again.

    Args:
        rows: the settings of each row, by name.
        seeds: the seeds of every row.
        path: the JSON-lines file.
        tested: whether the seeds are evaluated on the test images.
        scheduler: the address of a Dask cluster, whose workers have one thread each; by default
            each core of this machine has a worker.
        console: shows the progress; by default standard output.

    Raises:
        UserError: another sweep writes this file, it holds a seed with other settings, ``seeds``
            is empty, Dask is not installed, or no scheduler answers.
        FailedSeedsError: seeds failed; all others are stored.
        ConnectionError: the scheduler has gone; finished seeds are stored.
    """
    seeds = list(seeds)
    if not seeds:
        raise UserError("seeds must be at least 1")
    path.parent.mkdir(parents=True, exist_ok=True)
    with exclusive_access(path):
        finished = _finished(rows, path)
        pending = [(row, seed) for seed in seeds for row in rows if (row, seed) not in finished]
        calls = {(row, seed): (run_seed, row, rows[row], seed, tested) for row, seed in pending}
        if calls:
            _run_and_store(calls, path, scheduler, console or plain_console())


def _run_and_store(
    calls: Mapping[Key, Call], path: Path, scheduler: str | None, console: Console
) -> None:
    beside, failures = path.with_suffix(".failed.jsonl"), []
    beside.unlink(missing_ok=True)
    with progress_bar(console, MofNCompleteColumn(), TimeRemainingColumn()) as bar:
        task = bar.add_task("training", total=len(calls))
        if not console.is_terminal:
            console.print(f"{len(calls)} seeds to train")
        for (row, seed), (record, reason) in outcomes(calls, scheduler):
            if reason:
                failures.append(f"{row!r} seed {seed}: {reason}")
                append(beside, {"row": row, "seed": seed, "reason": reason})
            else:
                append(path, record)
            bar.advance(task)
            if not console.is_terminal:
                console.print(failures[-1] if reason else _summary_line(record))
    if failures:
        count = f"{len(failures)} of {len(calls)} seeds failed, listed in {beside}"
        raise FailedSeedsError(f"{count}; the next start tries them again; {failures[0]}")


def _finished(rows: Mapping[str, Settings], path: Path) -> set[Key]:
    """The stored (row, seed) pairs, after checking that their settings match."""
    finished = set()
    for record in read_records(path):
        row, seed = record["row"], record["seed"]
        if row in rows:
            expected = dataclasses.replace(
                rows[row], seed=seed, seeds=1, forms=rows[row].forms or ()
            )
            own = {type(layer) for layer in with_nested(rows[row].layers)}
            if Settings.from_json(record["settings"], own) != expected:
                raise UserError(
                    f"{path} has seed {seed} of {row!r} with other settings: move it away"
                )
            finished.add((row, seed))
    return finished


def _summary_line(record: Record) -> str:
    name = "test_accuracy" if "test_accuracy" in record else "validation_accuracy"
    return f"{record['row']} seed {record['seed']}: {name.replace('_', ' ')} {record[name]:.4f}"
