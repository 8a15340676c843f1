"""A run as a person watches it."""

import dataclasses
import json
import shlex
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from ffnn_jax.cli._data_sets import prepare_and_watch
from ffnn_jax.cli._signals import Work
from ffnn_jax.config import Diverged, Interrupted, Refusal, Settings, preset
from ffnn_jax.data import NotPrepared, Splits, load_splits
from ffnn_jax.network import Network
from ffnn_jax.runs import (
    Checkpoints,
    Observer,
    Outcome,
    Saved,
    alone_in,
    compute,
    device,
    fitted,
    last_checkpoint,
    new_run_folder,
    run_network,
    versions,
    write_config,
    write_run,
)
from ffnn_jax.training import Progress as Done

_PLAIN_LINES = 30


@dataclasses.dataclass(frozen=True)
class Way:
    """How a run is made: where its images are, how often it is saved, what is looked for."""

    streaming: bool | None = None
    every: int | None = None
    debug_nans: bool = False


def run_and_print(settings: Settings, run_dir: Path | None, way: Way, work: Work) -> None:
    """Trains, tests, writes the run's folder, and says so on standard output."""
    splits = _splits(settings)
    if settings.dataset != preset(settings.preset).dataset:
        settings = fitted(settings, splits)
    run_network(settings, splits)
    folder = new_run_folder(settings.preset, run_dir)
    with alone_in(folder):
        _run(settings, splits, folder, way, None, work)


def resume_and_print(folder: Path, steps: int | None, way: Way, work: Work) -> None:
    """Goes on with the run of a folder as if nothing had happened.

    Raises:
        Refusal: there is nothing to go on with, or not to so many steps.
    """
    with alone_in(folder):
        saved = last_checkpoint(folder)
        _require_of_this_run(folder, saved)
        settings = _prolonged(Settings.from_json(saved.about["settings"]), saved, steps)
        _run(settings, _splits(settings), folder, way, saved, work)


def _require_of_this_run(folder: Path, saved: Saved) -> None:
    """Refuses a checkpoint whose settings, but for the steps, are not those in the folder."""
    try:
        here = dict(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return  # it is written anew
    there = saved.about["settings"]
    names = (name for name in {**there, **here} if name != "steps")
    name = next((name for name in names if here.get(name) != there.get(name)), None)
    if name is not None:
        raise Refusal(
            f"{saved.path}: of another run: {name} is {there.get(name)}, "
            f"{folder / 'config.json'} has {here.get(name)}"
        )


def _prolonged(settings: Settings, saved: Saved, steps: int | None) -> Settings:
    """The settings of the run, with as many steps as are asked for now."""
    if steps is None or steps == settings.steps:
        return settings
    if settings.schedule != "constant":
        raise Refusal(f"steps: the {settings.schedule} schedule was made for {settings.steps:,}")
    if steps < saved.about["step"]:
        raise Refusal(f"steps must be at least the {saved.about['step']:,} done, got {steps}")
    return dataclasses.replace(settings, steps=steps)


def _run(
    settings: Settings, splits: Splits, folder: Path, way: Way, saved: Saved | None, work: Work
) -> None:
    console = Console(highlight=False, soft_wrap=True, markup=False)
    if saved is None:
        write_config(folder, settings)
    _print_beginning(console, settings, splits, run_network(settings, splits))
    if saved is not None:
        console.print(f"going on   after step {saved.about['step']:,}, from {saved.path}")
    hint = f"; go on with: ffnn-jax train --resume {shlex.quote(str(folder))}"
    work.hint = "; nothing was saved yet" if saved is None else hint
    checkpoints = Checkpoints(folder, way.every, saved, work.ending)
    try:
        with _Watcher(console, settings, work, hint) as watcher:
            outcome = compute(settings, splits, watcher, way.streaming, checkpoints, way.debug_nans)
    except Interrupted as interruption:
        raise Interrupted(interruption.signal, f"{interruption}{hint}") from None
    except Diverged as divergence:
        raise Diverged(f"{divergence}{_debugging(folder, way)}") from None
    write_run(folder, outcome)
    _print_end(console, outcome, folder)


def _debugging(folder: Path, way: Way) -> str:
    """How to see more of a run that diverged."""
    if way.debug_nans:
        return ""
    again = f"ffnn-jax train --resume {shlex.quote(str(folder))} --debug-nans"
    return f"; the operation is named by: {again}"


def dry_run_and_print(settings: Settings, way: Way, work: Work) -> None:
    """One step of one seed, and all that follows it, in a folder that is removed."""
    one = dataclasses.replace(settings, steps=1, seeds=1)
    with tempfile.TemporaryDirectory() as folder:
        run_and_print(one, Path(folder) / settings.preset, way, work)
    print("dry run: everything works; the folder was removed")


def _splits(settings: Settings) -> Splits:
    """The images; a set that can be prepared here is prepared where it is not."""
    try:
        return load_splits(settings.dataset, train_images=settings.train_images)
    except NotPrepared:
        prepare_and_watch(settings.dataset, "official", None)
        return load_splits(settings.dataset, train_images=settings.train_images)


def _print_beginning(
    console: Console, settings: Settings, splits: Splits, network: Network
) -> None:
    where, summary = device(), network.summary()
    first, last = settings.seed, settings.seed + settings.seeds - 1
    facts = {
        "device": f"{where['platform']} ({where['kind']}), {where['cpu_cores']} cores",
        "versions": ", ".join(f"{name} {number}" for name, number in versions().items()),
        "data": ", ".join(
            f"{part.name} {len(part):,} (sha256 {part.sha256[:12]})" for part in splits if part
        ),
        "training": (
            f"{settings.steps:,} steps of {settings.batch_size} images, learning rate "
            f"{settings.learning_rate} ({settings.schedule}), momentum {settings.momentum}, "
            f"weight decay {settings.weight_decay}"
        ),
        "inputs": ", ".join([settings.normalisation, *map(str, settings.augmentations)]),
        "seeds": f"{first}" if first == last else f"{first} to {last}",
        "parameters": f"{summary.parameters:,}",
    }
    for name, fact in facts.items():
        console.print(f"{name:<10} {fact}")
    console.print(summary, soft_wrap=False)


def _print_end(console: Console, outcome: Outcome, folder: Path) -> None:
    trained = outcome.trained
    spent, compiled = trained.train_seconds, trained.compile_seconds
    console.print(f"trained in {spent:.1f} s (compiled in {compiled:.1f} s)")
    console.print(f"results in {folder}")


class _Watcher(Observer):
    """A live line on a terminal, at most 30 plain lines elsewhere."""

    def __init__(self, console: Console, settings: Settings, work: Work, hint: str) -> None:
        self._work, self._hint, self._first_seed = work, hint, settings.seed
        columns = TextColumn("{task.description}"), BarColumn(bar_width=24)
        self._bar = Progress(*columns, console=console, transient=True)
        self._task: TaskID = self._bar.add_task("", total=settings.steps)
        self._console = console
        self._every = -(-settings.steps // _PLAIN_LINES)
        self._printed = -1

    def __enter__(self) -> "_Watcher":
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def compiling(self) -> None:
        """The beginning stands by now."""
        self._work.makes_steps, self._work.hint = False, self._hint
        self._say("compiling the training step ...")

    def progress(self, progress: Done) -> None:
        self._work.makes_steps = True
        line = _line(progress)
        due = progress.step // self._every > self._printed
        if self._console.is_terminal:
            self._bar.update(self._task, completed=progress.step, description=line)
        elif due or progress.step == progress.steps:
            self._printed = progress.step // self._every
            self._console.print(line)

    def evaluating(self) -> None:
        self._work.makes_steps = False
        self._say("classifying all images ...")

    def tested(self, accuracies: Sequence[float]) -> None:
        for seed, accuracy in enumerate(accuracies, start=self._first_seed):
            self._console.print(f"seed {seed}: test accuracy {accuracy:.4f}")
        if len(accuracies) > 1:
            mean, sd = statistics.mean(accuracies), statistics.stdev(accuracies)
            of = f"(mean +- sd, n = {len(accuracies)})"
            self._console.print(f"test accuracy {mean:.4f} +- {sd:.4f} {of}")

    def _say(self, words: str) -> None:
        self._bar.update(self._task, description=words)
        if not self._console.is_terminal:
            self._console.print(words)


def _line(done: Done) -> str:
    looked = done.validation_accuracy
    validation = "" if looked is None else f"validation {looked:.3f}  "
    minutes, seconds = divmod(round(done.seconds_left), 60)
    return (
        f"step {done.step:>{len(str(done.steps))}}/{done.steps}  smoothed loss {done.loss:.4f}  "
        f"accuracy {done.accuracy:.3f}  {validation}"
        f"{done.images_per_second:,.0f} images/s  {minutes}:{seconds:02d} left"
    )
