"""A run from its settings to its folder: a new run, a resumed one, or a dry run."""

import dataclasses
import shlex
import signal
from collections.abc import Collection
from pathlib import Path

from ffnn_jax import runs
from ffnn_jax.cli._output import plain_console, show_progress
from ffnn_jax.cli._signals import SignalState, print_nowhere
from ffnn_jax.cli._train_watch import ProgressDisplay, print_run_footer, print_run_header
from ffnn_jax.config import DivergedError, RunInterruptedError, Settings, preset
from ffnn_jax.data import NotPreparedError, Splits, load_splits
from ffnn_jax.data.preparation import prepare


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """How and where a run is carried out."""

    streaming: bool | None = None  # None decides by the size of the images
    every: int | None = None  # steps between checkpoints; None for the default
    debug_nans: bool = False  # whether to find the operation that produced a non-finite number
    stop: runs.StopRequest = dataclasses.field(default_factory=runs.StopRequest)
    explicit: Collection[str] = ()  # settings kept on a data set other than the preset's
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
    with runs.locked(folder):
        checkpoint = runs.last_checkpoint(folder)
        settings = runs.resumed_settings(folder, checkpoint, steps)
        result = _run(state, runs.plan(settings, _splits(settings)), folder, options, checkpoint)
    print_run_footer(plain_console(), result, folder)


def _start(
    state: SignalState, settings: Settings, options: RunOptions
) -> tuple[runs.RunResult, Path]:
    splits = _splits(settings)
    if settings.dataset != preset(settings.preset).dataset:
        settings = runs.adapt_to_dataset(settings, splits, options.explicit)
    planned = runs.plan(settings, splits)
    folder = runs.new_run_folder(settings.preset, options.run_dir)
    with runs.locked(folder):
        return _run(state, planned, folder, options), folder


def _run(
    state: SignalState,
    planned: runs.Plan,
    folder: Path,
    options: RunOptions,
    checkpoint: runs.Checkpoint | None = None,
) -> runs.RunResult:
    console = plain_console(reader_left=lambda: _stop_unread(options.stop))
    if checkpoint is None:
        runs.write_config(folder, planned.settings)
    print_run_header(console, planned)
    if checkpoint is not None:
        console.print(f"resuming   after step {checkpoint.about['step']:,}, from {checkpoint.path}")
    resume = f"ffnn-jax train --resume {shlex.quote(str(folder))}"
    hint = f"; resume with: {resume}"
    state.hint = "; nothing was saved yet" if checkpoint is None else hint
    try:
        display = ProgressDisplay(state, planned, console, hint)
        with display.bar:
            saving = options.every, checkpoint, options.stop
            callbacks = runs.CheckpointManager(folder, *saving, display)
            result = runs.run_plan(planned, callbacks, options.streaming, options.debug_nans)
    except RunInterruptedError as interruption:
        raise RunInterruptedError(interruption.signal, f"{interruption}{hint}") from None
    except DivergedError as divergence:
        find = "" if options.debug_nans else f"; to find the operation: {resume} --debug-nans"
        raise DivergedError(f"{divergence}{find}") from None
    runs.write_run(folder, result)
    return result


def _stop_unread(stop: runs.StopRequest) -> None:
    """Ends the run as a signal does, since nobody reads what it prints."""
    print_nowhere(1)
    stop.signal = stop.signal or int(getattr(signal, "SIGPIPE", signal.SIGTERM))  # not on Windows


def _splits(settings: Settings) -> Splits:
    """The images; a known data set is prepared first if it is missing."""
    try:
        return load_splits(settings.dataset, train_images=settings.train_images)
    except NotPreparedError:
        with show_progress() as tell:
            prepare(settings.dataset, on_progress=tell)
        return load_splits(settings.dataset, train_images=settings.train_images)
