"""A run from its settings to its folder: begun, resumed, or tried out."""

import dataclasses
import shlex
import tempfile
from collections.abc import Collection
from pathlib import Path

from ffnn_jax.cli._progress import show_progress
from ffnn_jax.cli._results import plain_console
from ffnn_jax.cli._signals import SignalState
from ffnn_jax.cli._train_watch import ProgressDisplay, print_run_footer, print_run_header
from ffnn_jax.config import DivergedError, RunInterruptedError, Settings, preset
from ffnn_jax.data import NotPreparedError, Splits, load_splits
from ffnn_jax.data.preparation import prepare
from ffnn_jax.runs import (
    Checkpoint,
    CheckpointManager,
    Plan,
    StopRequest,
    adapt_to_dataset,
    last_checkpoint,
    locked,
    new_run_folder,
    plan,
    resumed_settings,
    run_plan,
    write_config,
    write_run,
)


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """How a run is made.

    Attributes:
        streaming: whether its images are streamed to the device; None leaves that to the run.
        every: steps between two checkpoints; None leaves that to the run.
        debug_nans: whether the operation is looked for that gave a number that is not finite.
        stop: tells the run to end before its last step.
    """

    streaming: bool | None = None
    every: int | None = None
    debug_nans: bool = False
    stop: StopRequest = dataclasses.field(default_factory=StopRequest)


def run_and_print(
    state: SignalState,
    settings: Settings,
    kept: Collection[str],
    run_dir: Path | None,
    options: RunOptions,
) -> None:
    """Trains, tests, writes the run's folder, and says so on standard output.

    Args:
        state: is told of each phase.
        settings: of the run.
        kept: names of settings that another data set than the preset's does not change.
        run_dir: the run's folder; a numbered one if not given.
        options: how the run is made.
    """
    splits = _splits(settings)
    if settings.dataset != preset(settings.preset).dataset:
        settings = adapt_to_dataset(settings, splits, kept)
    planned = plan(settings, splits)
    folder = new_run_folder(settings.preset, run_dir)
    with locked(folder):
        _run(state, planned, folder, options, None)


def dry_run_and_print(
    state: SignalState, settings: Settings, kept: Collection[str], options: RunOptions
) -> None:
    """One step of one seed, and all that follows it, in a folder that is removed."""
    one = dataclasses.replace(settings, steps=1, seeds=1)
    with tempfile.TemporaryDirectory() as folder:
        run_and_print(state, one, kept, Path(folder) / settings.preset, options)
    print("dry run: everything works; the folder was removed")


def resume_and_print(
    state: SignalState, folder: Path, steps: int | None, options: RunOptions
) -> None:
    """Resumes the run in a folder.

    Raises:
        UserError: there is nothing to go on with, or not to so many steps.
    """
    with locked(folder):
        checkpoint = last_checkpoint(folder)
        settings = resumed_settings(folder, checkpoint, steps)
        _run(state, plan(settings, _splits(settings)), folder, options, checkpoint)


def _run(
    state: SignalState,
    planned: Plan,
    folder: Path,
    options: RunOptions,
    checkpoint: Checkpoint | None,
) -> None:
    console = plain_console()
    if checkpoint is None:
        write_config(folder, planned.settings)
    print_run_header(console, planned)
    if checkpoint is not None:
        console.print(f"going on   after step {checkpoint.about['step']:,}, from {checkpoint.path}")
    hint = f"; go on with: ffnn-jax train --resume {shlex.quote(str(folder))}"
    state.hint = "; nothing was saved yet" if checkpoint is None else hint
    try:
        with ProgressDisplay(state, planned.settings, console, hint) as watcher:
            callbacks = CheckpointManager(folder, options.every, checkpoint, options.stop, watcher)
            result = run_plan(planned, callbacks, options.streaming, options.debug_nans)
    except RunInterruptedError as interruption:
        raise RunInterruptedError(interruption.signal, f"{interruption}{hint}") from None
    except DivergedError as divergence:
        raise DivergedError(f"{divergence}{_debugging(folder, options)}") from None
    write_run(folder, result)
    print_run_footer(console, result, folder)


def _debugging(folder: Path, options: RunOptions) -> str:
    """How to see more of a run that diverged."""
    if options.debug_nans:
        return ""
    again = f"ffnn-jax train --resume {shlex.quote(str(folder))} --debug-nans"
    return f"; the operation is named by: {again}"


def _splits(settings: Settings) -> Splits:
    """The images; a set that can be prepared here is prepared where it is not."""
    try:
        return load_splits(settings.dataset, train_images=settings.train_images)
    except NotPreparedError:
        with show_progress() as tell:
            prepare(settings.dataset, on_progress=tell)
        return load_splits(settings.dataset, train_images=settings.train_images)
