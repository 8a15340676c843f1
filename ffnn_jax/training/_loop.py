"""The loop around the compiled chunks: validation, progress, and one state for each seed."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import optax

from ffnn_jax.config import Diverged, Settings
from ffnn_jax.network import Network, Params
from ffnn_jax.training._feed import Resident, Streaming
from ffnn_jax.training._inputs import ImageParts
from ffnn_jax.training._rows import Member
from ffnn_jax.training._seeds import make_seeds
from ffnn_jax.training._step import ChunkMetrics

_FIRST_STOP = 10
_CHUNK_SECONDS = 2.0


class Record(NamedTuple):
    """One line of a seed's history: the state of things after ``step`` steps.

    Loss and accuracy are of the training batches, smoothed as in ``RunningMean``; the loss
    includes weight decay's term. The validation accuracy is of a few random batches.
    """

    seed: int
    step: int
    loss: float
    accuracy: float
    validation_accuracy: float


class Progress(NamedTuple):
    """Where a run stands, over all its seeds: means, and seconds still to go."""

    step: int
    steps: int
    loss: float
    accuracy: float
    validation_accuracy: float | None
    images_per_second: float
    seconds_left: float


class Trained(NamedTuple):
    """What training gives: parameters of each seed, histories, and the time it took."""

    params: list[Params]
    history: list[Record]
    compile_seconds: float
    train_seconds: float


@dataclasses.dataclass
class RunningMean:
    """The mean of the first 20 values, from then on a moving average that keeps 0.995."""

    count: int = 0
    value: float = 0.0

    def add(self, values: np.ndarray) -> None:
        """Takes the values in order."""
        for value in values.tolist():
            self.count += 1
            weight = 1 / self.count if self.count <= 20 else 1 - 0.995
            self.value += weight * (value - self.value)


@dataclasses.dataclass
class _Run:
    """What is shown of one seed under way."""

    seed: int
    loss: RunningMean = dataclasses.field(default_factory=RunningMean)
    accuracy: RunningMean = dataclasses.field(default_factory=RunningMean)
    validation_accuracy: float | None = None


def train(
    network: Network,
    optimizer: optax.GradientTransformation,
    settings: Settings,
    images: ImageParts,
    members: Sequence[Member],
    report: Callable[[Progress], None] = lambda progress: None,
    streaming: bool = False,
) -> Trained:
    """Trains one network for each member, all in step.

    On a CPU each seed's arithmetic is that of the seed alone, so its result is the same bit for
    bit; where all seeds are one program, sums may be rounded in another order.

    Args:
        network: maps images to logits.
        optimizer: ours or any of optax's.
        settings: steps, batch size, augmentations, validation, and the first member's seed.
        images: training and validation images together; the members say which are which.
        members: one for each seed.
        report: is told how far the run is, at least every few seconds.
        streaming: leave the images on the host and send each batch ahead of its use.

    Raises:
        Diverged: the loss became infinite or NaN.
        Refusal: streaming was asked for and Grain is not installed.
    """
    feed = Streaming(images, members, settings) if streaming else Resident(images)
    runs = [_Run(settings.seed + index) for index in range(len(members))]
    began = time.perf_counter()
    seeds = make_seeds(network, optimizer, settings, feed, members)
    compiled = time.perf_counter()
    history: list[Record] = []
    step = 0
    while step < settings.steps:
        spent = time.perf_counter() - compiled
        stop = _next_stop(step, settings, feed.chunk_steps, spent)
        for run, metrics in zip(runs, seeds.advance(step, stop), strict=True):
            _take(run, metrics, step, stop - step)
        if stop % settings.validation_interval == 0 or stop == settings.steps:
            for run, looked in zip(runs, seeds.look(stop), strict=True):
                run.validation_accuracy = looked
                history.append(_record(run, stop, looked))
        step = stop
        report(_progress(runs, step, settings, time.perf_counter() - compiled))
    return Trained(seeds.params(), history, compiled - began, time.perf_counter() - compiled)


def _next_stop(step: int, settings: Settings, chunk_steps: int, spent: float) -> int:
    """The step to stop at: the next look at validation, the end, or about two seconds on.

    A chunk begins at a multiple of its length at the latest: there the next block begins.
    """
    interval = settings.validation_interval
    affordable = int(_CHUNK_SECONDS * step / spent) if step else _FIRST_STOP
    ahead = min(max(affordable, 1), chunk_steps - step % chunk_steps)
    return min(step + ahead, (step // interval + 1) * interval, settings.steps)


def _take(run: _Run, metrics: ChunkMetrics, first: int, count: int) -> None:
    """Adds a chunk's metrics to the run's running means."""
    loss, accuracy, decay = (np.asarray(values)[:count] for values in metrics)
    if not np.isfinite(loss).all():
        bad = int(np.flatnonzero(~np.isfinite(loss))[0])
        where = f"of seed {run.seed} at step {first + bad + 1}"
        raise Diverged(f"the loss {where} is {loss[bad]}; a lower learning rate may help")
    run.loss.add(loss + decay)
    run.accuracy.add(accuracy)


def _record(run: _Run, step: int, validation_accuracy: float) -> Record:
    values = (run.loss.value, run.accuracy.value, validation_accuracy)
    return Record(run.seed, step, *(round(value, 6) for value in values))


def _progress(runs: list[_Run], step: int, settings: Settings, spent: float) -> Progress:
    looks = [run.validation_accuracy for run in runs if run.validation_accuracy is not None]
    return Progress(
        step=step,
        steps=settings.steps,
        loss=float(np.mean([run.loss.value for run in runs])),
        accuracy=float(np.mean([run.accuracy.value for run in runs])),
        validation_accuracy=float(np.mean(looks)) if looks else None,
        images_per_second=len(runs) * step * settings.batch_size / spent,
        seconds_left=spent / step * (settings.steps - step),
    )
