"""A run as a person watches it: what is printed as it begins, goes on and ends."""

import statistics
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ffnn_jax.cli._progress import progress_bar
from ffnn_jax.cli._signals import SignalState
from ffnn_jax.config import Settings
from ffnn_jax.runs import Plan, RunResult, device, versions
from ffnn_jax.training import Callbacks, Progress

_PLAIN_LINES = 30


def print_run_header(console: Console, planned: Plan) -> None:
    """Prints what the run is: where, on what, how, and its network."""
    settings, splits, network = planned
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
        "validation": _validation(planned),
        "inputs": ", ".join([settings.normalisation, *map(str, settings.augmentations)]),
        "seeds": f"{first}" if first == last else f"{first} to {last}",
        "parameters": f"{summary.parameters:,}",
    }
    for name, fact in facts.items():
        console.print(f"{name:<10} {fact}")
    console.print(summary, soft_wrap=False)


def _validation(planned: Plan) -> str:
    """Which images are validated on; a split of the data set's own comes before the setting."""
    asked, own = planned.settings.validation, planned.splits.validation
    return str(asked) if own is None else f"{own.name}, in place of {asked}"


def print_run_footer(console: Console, result: RunResult, folder: Path) -> None:
    """Prints how long the run took, and where its results are."""
    spent, compiled = result.trained.train_seconds, result.trained.compile_seconds
    console.print(f"trained in {spent:.1f} s (compiled in {compiled:.1f} s)")
    console.print(f"results in {folder}")


class ProgressDisplay(Callbacks):
    """A live line on a terminal, at most 30 plain lines elsewhere; keeps ``state`` up to date."""

    def __init__(self, state: SignalState, settings: Settings, console: Console, hint: str) -> None:
        """Takes the hint that holds as soon as something is saved."""
        self._state, self._hint, self._first_seed = state, hint, settings.seed
        self._console, self._bar = console, progress_bar(console)
        self._task = self._bar.add_task("", total=settings.steps)
        self._every = -(-settings.steps // _PLAIN_LINES)
        self._printed = -1

    def __enter__(self) -> "ProgressDisplay":
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def on_compile(self) -> None:
        """The beginning is saved by now."""
        self._state.makes_steps, self._state.hint = False, self._hint
        self._say("compiling the training step ...")

    def on_progress(self, progress: Progress) -> None:
        self._state.makes_steps = True
        line = _line(progress)
        due = progress.step // self._every > self._printed
        if self._console.is_terminal:
            self._bar.update(self._task, completed=progress.step, description=line)
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
        self._bar.update(self._task, description=words)
        if not self._console.is_terminal:
            self._console.print(words)


def _line(progress: Progress) -> str:
    accuracy = progress.validation_accuracy
    validation = "" if accuracy is None else f"validation {accuracy:.3f}  "
    minutes, seconds = divmod(round(progress.seconds_left), 60)
    return (
        f"step {progress.step:>{len(str(progress.steps))}}/{progress.steps}  "
        f"smoothed loss {progress.loss:.4f}  accuracy {progress.accuracy:.3f}  {validation}"
        f"{progress.images_per_second:,.0f} images/s  {minutes}:{seconds:02d} left"
    )
