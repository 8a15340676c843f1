"""A run from its settings to its folder, new, resumed or dry, and what it prints meanwhile."""

import dataclasses
import shlex
import signal
import statistics
from collections.abc import Collection, Sequence
from pathlib import Path

from rich.console import Console

from ffnn_jax import runs
from ffnn_jax._signals import SignalState, print_nowhere
from ffnn_jax.cli._output import plain_console, progress_bar, show_progress
from ffnn_jax.config import DivergedError, RunInterruptedError, Settings, layers_from
from ffnn_jax.data import NotPreparedError, Splits, full_name, sample_digit
from ffnn_jax.data.preparation import prepare
from ffnn_jax.models import classifies_digits
from ffnn_jax.runs import Plan, RunResult, device, versions
from ffnn_jax.training import Callbacks, Progress


def print_run_header(console: Console, planned: Plan) -> None:
    """Prints the run's device, data, settings and network, and what its progress line shows."""
    settings, splits, network = planned
    where, summary = device(), network.summary()
    several = f", {where['count']} devices, 1 used" if where["count"] != 1 else ""
    first, last = settings.seed, settings.seed + settings.seeds - 1
    sizes = enumerate((getattr(one, "init_fan_in", None) for one in settings.layers), start=1)
    stated = [f"layer {n} drawn as for {size} inputs (init_fan_in)" for n, size in sizes if size]
    facts = {
        "device": f"{where['platform']} ({where['kind']}){several}, {where['cpu_cores']} cores",
        "versions": ", ".join(f"{name} {number}" for name, number in versions().items()),
        "data": ", ".join(
            f"{part.name} {len(part):,} (sha256 {part.sha256[:12]})" for part in splits if part
        ),
        "training": (
            f"{settings.steps:,} steps of {settings.batch_size} images, learning rate "
            f"{settings.learning_rate} ({settings.schedule}), momentum {settings.momentum}, "
            f"weight decay {settings.weight_decay}"
        ),
        "validation": _validation(planned),
        "weights": "; ".join(stated) or "drawn as for each layer's number of inputs",
        "progress": "moving averages over batches, loss with weight decay; validation +- std error",
        "inputs": ", ".join([settings.normalisation, *map(str, settings.augmentations)]),
        "seeds": f"{first}" if first == last else f"{first} to {last}",
        "parameters": f"{summary.parameters:,}",
    }
    for name, fact in facts.items():
        console.print(f"{name:<10} {fact}")
    for remark in splits.train.remarks:
        console.print(f"{'remark':<10} {remark}")
    console.print(summary, soft_wrap=False)


def _validation(planned: Plan) -> str:
    """The validation images and how many of them each validation pass draws."""
    if not planned.validation_size:
        return "none"
    settings, own = planned.settings, planned.splits.validation
    name = settings.validation if own is None else f"{own.name} (in place of {settings.validation})"
    drawn = f"{planned.images_per_validation:,} random images every {settings.validation_interval}"
    return f"{name}: {drawn} steps, all of them at the end"


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


class ProgressDisplay(Callbacks):
    """A live line on a terminal, at most 30 plain lines elsewhere; keeps ``state`` up to date."""

    def __init__(self, state: SignalState, planned: Plan, console: Console, hint: str) -> None:
        """Takes the hint to print once a checkpoint exists."""
        settings = planned.settings
        self._state, self._hint, self._first_seed = state, hint, settings.seed
        self._validated = settings.seeds * planned.images_per_validation
        self._console, self.bar = console, progress_bar(console)
        self._task = self.bar.add_task("", total=settings.steps)
        self._every = -(-settings.steps // runs.PLAIN_LINES)
        self._printed = -1

    def on_compile(self) -> None:
        """The initial state is saved by now."""
        self._state.makes_steps, self._state.hint = False, self._hint
        self._say("compiling the training step ...")

    def on_progress(self, progress: Progress) -> None:
        self._state.makes_steps = True
        line = runs.progress_line(progress, self._validated)
        due = progress.step // self._every > self._printed
        if self._console.is_terminal:
            self.bar.update(self._task, completed=progress.step, description=line)
        elif due or progress.step == progress.steps:
            self._printed = progress.step // self._every
            self._console.print(line)

    def on_evaluate(self) -> None:
        self._state.makes_steps = False
        self._say("classifying all images ...")

    def on_test(self, accuracies: Sequence[float]) -> None:
        for seed, accuracy in enumerate(accuracies, start=self._first_seed):
            self._console.print(f"seed {seed}: test accuracy {accuracy:.4f}")
        if len(accuracies) > 1:
            mean, sd = statistics.mean(accuracies), statistics.stdev(accuracies)
            of = f"(mean +- sd, n = {len(accuracies)})"
            self._console.print(f"test accuracy {mean:.4f} +- {sd:.4f} {of}")

    def _say(self, words: str) -> None:
        self.bar.update(self._task, description=words)
        if not self._console.is_terminal:
            self._console.print(words)


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """How and where a run is carried out."""

    streaming: bool | None = None  # None decides by the size of the images
    every: int | None = None  # steps between checkpoints; None for the default
    debug_nans: bool = False  # whether to find the operation that produced a non-finite number
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
    with runs.locked(folder):
        checkpoint = runs.last_checkpoint(folder)
        settings = runs.resumed_settings(folder, checkpoint, steps)
        result = _run(
            state, runs.plan(settings, prepared_splits(settings)), folder, options, checkpoint
        )
    print_run_footer(plain_console(), result, folder)


def _start(state: SignalState, settings: Settings, options: RunOptions) -> tuple[RunResult, Path]:
    settings = dataclasses.replace(settings, dataset=full_name(settings.dataset))
    splits = prepared_splits(settings)
    if "dataset" in options.explicit:
        settings = runs.adapt_to_dataset(settings, splits, options.explicit)
    planned = runs.plan(settings, splits)
    folder = runs.new_run_folder(settings.preset, options.run_dir)
    with runs.locked(folder):
        return _run(state, planned, folder, options), folder


def _run(
    state: SignalState, planned: Plan, folder: Path, options: RunOptions,
    checkpoint: runs.Checkpoint | None = None,
) -> RunResult:  # fmt: skip
    console = plain_console(reader_left=lambda: _stop_unread(options.stop))
    if checkpoint is None:
        runs.write_config(folder, planned.settings)
    print_run_header(console, planned)
    if checkpoint is not None:
        console.print(f"resuming   after step {checkpoint.about['step']:,}, from {checkpoint.path}")
    own = layers_from(planned.settings.layers)
    resume = f"ffnn-jax train --resume {shlex.quote(str(folder))}{own}"
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


def prepared_splits(settings: Settings, folder: Path | None = None) -> Splits:
    """The images; a known data set is prepared first if it is missing."""
    with show_progress() as tell:
        try:
            return runs.splits_of(settings, folder, tell)
        except NotPreparedError:
            prepare(settings.dataset, folder=folder, on_progress=tell)
            return runs.splits_of(settings, folder, tell)
