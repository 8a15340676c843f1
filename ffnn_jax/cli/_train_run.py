"""A run from its settings to its folder: begun, resumed, or tried out."""

import dataclasses
import json
import shlex
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ffnn_jax.cli._progress import show_progress
from ffnn_jax.cli._results import plain_console
from ffnn_jax.cli._signals import Work
from ffnn_jax.cli._train_watch import Watcher, print_beginning, print_end
from ffnn_jax.config import Diverged, Interrupted, Refusal, Settings, preset
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
        _require_of_this_run(folder, saved)
        settings = _prolonged(Settings.from_json(saved.about["settings"]), saved, steps)
        _run(work, plan(settings, _splits(settings)), folder, way, saved)


def _require_of_this_run(folder: Path, saved: Saved) -> None:
    """Refuses a checkpoint whose settings, but for the steps, are not those in the folder."""
    try:
        config = dict(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return  # it is written anew
    here, there = _as_this_version_says(config), saved.about["settings"]
    names = (name for name in {**there, **here} if name != "steps")
    name = next((name for name in names if here.get(name) != there.get(name)), None)
    if name is not None:
        raise Refusal(
            f"{saved.path}: of another run: {name} is {there.get(name)}, "
            f"{folder / 'config.json'} has {here.get(name)}"
        )


def _as_this_version_says(config: dict[str, Any]) -> dict[str, Any]:
    """Settings of this or an earlier version; what is neither stays as it is."""
    try:
        return Settings.from_json(config).to_json()
    except Refusal:
        return config


def _prolonged(settings: Settings, saved: Saved, steps: int | None) -> Settings:
    """The settings of the run, with as many steps as are asked for now."""
    if steps is None or steps == settings.steps:
        return settings
    if settings.schedule != "constant":
        raise Refusal(f"steps: the {settings.schedule} schedule was made for {settings.steps:,}")
    if steps < saved.about["step"]:
        raise Refusal(f"steps must be at least the {saved.about['step']:,} done, got {steps}")
    return dataclasses.replace(settings, steps=steps)


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
