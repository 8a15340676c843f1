"""A run from its settings to its folder, new, resumed or dry, and what it prints meanwhile."""

import dataclasses
import shlex
import signal
from collections.abc import Collection
from pathlib import Path

from rich.console import Console

from ffnn_jax import runs
from ffnn_jax._address import Address
from ffnn_jax._console import plain_console, show_progress
from ffnn_jax._signals import SignalState, print_nowhere
from ffnn_jax.config import DivergedError, RunInterruptedError, Settings, layers_from
from ffnn_jax.data import NotPreparedError, Splits, full_name, sample_digit
from ffnn_jax.data.preparation import prepare
from ffnn_jax.models import classifies_digits
from ffnn_jax.runs import Plan, RunResult


def print_run_footer(console: Console, result: RunResult, folder: Path) -> None:
    """Prints how long the run took, where its page is, and the next two commands."""
    spent, compiled = result.trained.train_seconds, result.trained.compile_seconds
    console.print(f"trained in {spent:.1f} s (compiled in {compiled:.1f} s)")
    for warning in result.warnings:
        console.print(f"warning    {warning}")
    run, page = (shlex.quote(str(path)) for path in (folder, folder / "page.html"))
    console.print(f"results in {run}: open {page}")
    image = shlex.quote(str(sample_digit())) if classifies_digits(result.models[0]) else "IMAGE"
    own = layers_from(result.settings.layers)
    console.print(f"next:      ffnn-jax predict {run} {image}{own}")
    console.print(f"           ffnn-jax evaluate {run} --split train{own}")


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """How and where a run is carried out."""

    streaming: bool | None = None  # None decides by the size of the images
    every: int | None = None  # steps between checkpoints; None for the default
    debug_nans: bool = False  # whether to find the operation that produced a non-finite number
    devices: int | str = 1  # how many of those here, or "all"
    address: Address | None = None  # where the processes of the run meet, if it has several
    stop: runs.StopRequest = dataclasses.field(default_factory=runs.StopRequest)
    explicit: Collection[str] = ()  # settings that differ from the preset's on purpose
    run_dir: Path | None = None  # of a new run; None for a numbered one


def run_and_print(state: SignalState, settings: Settings, options: RunOptions) -> None:
    """Trains, tests, writes the run's folder, and prints what comes next."""
    print_run_footer(plain_console(), *_start(state, settings, options))


def dry_run_and_print(state: SignalState, settings: Settings, options: RunOptions) -> None:
    """Runs one step of one seed and everything after it, in a folder that is removed."""
    one = dataclasses.replace(settings, steps=1, seeds=1)
    with runs.dry_run_folder(options.run_dir) as folder:
        _start(state, one, dataclasses.replace(options, run_dir=Path(folder) / "run"))
    print("dry run: everything works; the folder was removed")


def resume_and_print(
    state: SignalState, folder: Path, steps: int | None, options: RunOptions
) -> None:
    """Resumes the run in a folder."""
    with runs.locked_by_first(folder):
        with runs.together():
            checkpoint = runs.last_checkpoint(folder)
            settings = runs.resumed_settings(folder, checkpoint, steps)
            planned = runs.plan(settings, prepared_splits(settings), options.devices)
        result = _run(state, planned, folder, options, checkpoint)
    print_run_footer(plain_console(), result, folder)


def _start(state: SignalState, settings: Settings, options: RunOptions) -> tuple[RunResult, Path]:
    settings = dataclasses.replace(settings, dataset=full_name(settings.dataset))
    with runs.together():
        splits = prepared_splits(settings)
        if "dataset" in options.explicit:
            settings = runs.adapt_to_dataset(settings, splits, options.explicit)
        planned = runs.plan(settings, splits, options.devices)
    folder = runs.agreed_folder(planned, options.run_dir)
    with runs.locked_by_first(folder):
        return _run(state, planned, folder, options), folder


def _run(
    state: SignalState, planned: Plan, folder: Path, options: RunOptions,
    checkpoint: runs.Checkpoint | None = None,
) -> RunResult:  # fmt: skip
    console = plain_console(reader_left=lambda: _stop_unread(options.stop))
    if checkpoint is None and runs.writes():
        runs.write_config(folder, planned.settings)
    runs.print_run_header(console, planned)
    if checkpoint is not None:
        console.print(f"resuming   after step {checkpoint.about['step']:,}, from {checkpoint.path}")
    own = layers_from(planned.settings.layers)
    hosts = f" --distributed {options.address.text}" if options.address else ""
    resume = f"ffnn-jax train --resume {shlex.quote(str(folder))}{hosts}{own}"
    hint = f"; resume with: {resume}"
    state.hint = f"; nothing was saved yet: remove {folder}" if checkpoint is None else hint
    try:
        display = runs.ProgressDisplay(planned, console, state, hint)
        with display.bar:
            saving = options.every, checkpoint, options.stop
            callbacks = runs.checkpoints(folder, *saving, display)
            result = runs.run_plan(planned, callbacks, options.streaming, options.debug_nans)
    except RunInterruptedError as interruption:
        raise RunInterruptedError(interruption.signal, f"{interruption}{hint}") from None
    except DivergedError as divergence:
        find = "" if options.debug_nans else f"; to find the operation: {resume} --debug-nans"
        raise DivergedError(f"{divergence}{find}") from None
    if runs.writes():
        runs.write_run(folder, result)
    return result


def _stop_unread(stop: runs.StopRequest) -> None:
    """Ends the run as a signal does, since nobody reads what it prints."""
    print_nowhere(1)
    stop.signal = stop.signal or int(getattr(signal, "SIGPIPE", signal.SIGTERM))  # not on Windows


def prepared_splits(settings: Settings, folder: Path | None = None) -> Splits:
    """The images; a known data set is prepared first if it is missing."""
    with show_progress(lines=runs.writes()) as tell:
        try:
            return runs.splits_of(settings, folder, tell)
        except NotPreparedError:
            prepare(settings.dataset, folder=folder, on_progress=tell)
            return runs.splits_of(settings, folder, tell)
