"""What a run prints: its facts before it begins, and its progress."""

import math
import statistics
from collections.abc import Sequence

import jax
from rich.console import Console

from ffnn_jax._console import progress_bar
from ffnn_jax._signals import SignalState
from ffnn_jax._watch import note
from ffnn_jax.runs._compute import Plan
from ffnn_jax.runs._environment import device, versions
from ffnn_jax.training import Callbacks, Progress

_PLAIN_LINES = 30


def print_run_header(console: Console, planned: Plan) -> None:
    """Prints the run's device, data, settings and network, and what its progress line shows."""
    settings, splits, network, _ = planned
    used = planned.devices_used
    where, summary = device(used), network.summary()
    unused = "; --devices all would use more" if used == 1 else ""
    several = f", {where['count']} devices, {used} used{unused}" if where["count"] != 1 else ""
    if (processes := jax.process_count()) > 1:
        several += f", in {processes} processes"
    first, last = settings.seed, settings.seed + settings.seeds - 1
    sizes = enumerate((getattr(one, "init_fan_in", None) for one in settings.layers), start=1)
    stated = [f"layer {n} drawn as for {size} inputs (init_fan_in)" for n, size in sizes if size]
    cores = f"{where['cpu_cores']} core{'s' * (where['cpu_cores'] != 1)}"
    facts = {
        "device": f"{where['platform']} ({where['kind']}){several}, {cores}",
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


class ProgressDisplay(Callbacks):
    """A live line on a terminal, at most 30 plain lines elsewhere; keeps ``state`` up to date."""

    def __init__(
        self, planned: Plan, console: Console, state: SignalState | None = None, hint: str = ""
    ) -> None:
        """Takes the hint to print once a checkpoint exists; ``bar`` is to be entered."""
        settings = planned.settings
        self._state, self._hint, self._first_seed = state or SignalState(), hint, settings.seed
        drawn = min(planned.images_per_validation, planned.validation_size)  # some of them twice
        self._validated = settings.seeds * drawn
        self._console, self.bar = console, progress_bar(console)
        self._task = self.bar.add_task("", total=settings.steps)
        self._every = -(-settings.steps // _PLAIN_LINES)
        self._printed = -1

    def on_compile(self) -> None:
        """The initial state is saved by now."""
        self._state.makes_steps, self._state.hint = False, self._hint
        note("hint", self._hint)
        self._say("compiling the training step ...")

    def on_progress(self, progress: Progress) -> None:
        self._state.makes_steps = True
        line = _line(progress, self._validated)
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


def _line(progress: Progress, validated: int) -> str:
    """The progress line; validation accuracy with its standard error, from ``validated`` images."""
    accuracy, validation = progress.validation_accuracy, ""
    if accuracy is not None:
        error = math.sqrt(accuracy * (1 - accuracy) / validated)
        validation = f"validation {accuracy:.3f} +- {error:.3f}  "
    minutes, seconds = divmod(round(progress.seconds_left), 60)
    return (
        f"step {progress.step:>{len(str(progress.steps))}}/{progress.steps}  "
        f"training loss {progress.loss:.4f}, accuracy {progress.accuracy:.3f}  {validation}"
        f"{progress.images_per_second:,.0f} images/s  {minutes}:{seconds:02d} left"
    )
