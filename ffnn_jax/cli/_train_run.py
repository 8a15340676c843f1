"""A run from its settings to its folder: begun, resumed, or tried out."""

import dataclasses
import shlex
import tempfile
from collections.abc import Collection
from pathlib import Path

from ffnn_jax.cli._progress import show_progress
from ffnn_jax.cli._results import plain_console
from ffnn_jax.cli._signals import Work
from ffnn_jax.cli._train_watch import Watcher, print_beginning, print_end
from ffnn_jax.config import Diverged, Interrupted, Settings, preset
from ffnn_jax.data import NotPrepared, Splits, load_splits
from ffnn_jax.data.preparation import prepare
from ffnn_jax.runs import (
    Checkpoints,
    Ending,
    Plan,
    Saved,
    adapt_to_dataset,
    alone_in,
    carry_out,
    last_checkpoint,
    new_run_folder,
    plan,
    resumed_settings,
    write_config,
    write_run,
)


@dataclasses.dataclass(frozen=True)
class Way:
    """How a run is made.

    Attributes:
        streaming: whether its images are streamed to the device; None leaves that to the run.
        every: steps between two checkpoints; None leaves that to the run.
        debug_nans: whether the operation is looked for that gave a number that is not finite.
        ending: tells the run to end before its last step.
    """

    streaming: bool | None = None
    every: int | None = None
    debug_nans: bool = False
    ending: Ending = dataclasses.field(default_factory=Ending)


def run_and_print(
    work: Work, settings: Settings, kept: Collection[str], run_dir: Path | None, way: Way
) -> None:
    """Trains, tests, writes the run's folder, and says so on standard output.

    Args:
        work: is told of each phase.
        settings: of the run.
        kept: names of settings that another data set than the preset's does not change.
        run_dir: the run's folder; a numbered one if not given.
        way: how the run is made.
    """
    splits = _splits(settings)
    if settings.dataset != preset(settings.preset).dataset:
        settings = adapt_to_dataset(settings, splits, kept)
    planned = plan(settings, splits)
    folder = new_run_folder(settings.preset, run_dir)
    with alone_in(folder):
        _run(work, planned, folder, way, None)


def dry_run_and_print(work: Work, settings: Settings, kept: Collection[str], way: Way) -> None:
    """One step of one seed, and all that follows it, in a folder that is removed."""
    one = dataclasses.replace(settings, steps=1, seeds=1)
    with tempfile.TemporaryDirectory() as folder:
        run_and_print(work, one, kept, Path(folder) / settings.preset, way)
    print("dry run: everything works; the folder was removed")


def resume_and_print(work: Work, folder: Path, steps: int | None, way: Way) -> None:
    """Resumes the run in a folder.

    Raises:
        Refusal: there is nothing to go on with, or not to so many steps.
    """
    with alone_in(folder):
        saved = last_checkpoint(folder)
        settings = resumed_settings(folder, saved, steps)
        _run(work, plan(settings, _splits(settings)), folder, way, saved)


def _run(work: Work, planned: Plan, folder: Path, way: Way, saved: Saved | None) -> None:
    console = plain_console()
    if saved is None:
        write_config(folder, planned.settings)
    print_beginning(console, planned)
    if saved is not None:
        console.print(f"going on   after step {saved.about['step']:,}, from {saved.path}")
    hint = f"; go on with: ffnn-jax train --resume {shlex.quote(str(folder))}"
    work.hint = "; nothing was saved yet" if saved is None else hint
    try:
        with Watcher(work, planned.settings, console, hint) as watcher:
            callbacks = Checkpoints(folder, way.every, saved, way.ending, watcher)
            outcome = carry_out(planned, callbacks, way.streaming, way.debug_nans)
    except Interrupted as interruption:
        raise Interrupted(interruption.signal, f"{interruption}{hint}") from None
    except Diverged as divergence:
        raise Diverged(f"{divergence}{_debugging(folder, way)}") from None
    write_run(folder, outcome)
    print_end(console, outcome, folder)


def _debugging(folder: Path, way: Way) -> str:
    """How to see more of a run that diverged."""
    if way.debug_nans:
        return ""
    again = f"ffnn-jax train --resume {shlex.quote(str(folder))} --debug-nans"
    return f"; the operation is named by: {again}"


def _splits(settings: Settings) -> Splits:
    """The images; a set that can be prepared here is prepared where it is not."""
    try:
        return load_splits(settings.dataset, train_images=settings.train_images)
    except NotPrepared:
        with show_progress() as tell:
            prepare(settings.dataset, report=tell)
        return load_splits(settings.dataset, train_images=settings.train_images)
