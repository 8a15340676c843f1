"""The loop around the compiled chunks: validation, progress, and one state for each seed."""

import copy
import functools
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np
import optax

from ffnn_jax.config import Settings
from ffnn_jax.network import Network, Params
from ffnn_jax.training._feed import Resident, Streaming
from ffnn_jax.training._guard import Guard
from ffnn_jax.training._inputs import ImageParts
from ffnn_jax.training._rows import Member
from ffnn_jax.training._seeds import Seeds, make_seeds
from ffnn_jax.training._snapshot import Record, Shown, Snapshot
from ffnn_jax.training._step import initial_state

_FIRST_STOP = 10
_CHUNK_SECONDS = 2.0


class Progress(NamedTuple):
    """Where a run stands, over all its seeds: means, and seconds still to go."""

    step: int
    steps: int
    loss: float
    accuracy: float
    validation_accuracy: float | None
    images_per_second: float
    seconds_left: float


class Keeper:
    """Is given snapshots of a run, and decides where it begins and whether it goes on."""

    def begin(self, fresh: Snapshot) -> Snapshot:
        """Where the run begins, given its state before the first step."""
        return fresh

    def next_stop(self, step: int) -> int:
        """The next step after this one that a snapshot is wanted of."""
        return sys.maxsize

    def reached(self, step: int, steps: int, snapshot: Callable[[], Snapshot]) -> None:
        """Is told of each stop, and may ask for the snapshot there; what it raises ends the run."""


class Trained(NamedTuple):
    """What training gives: parameters of each seed, histories, and the time it took."""

    params: list[Params]
    history: list[Record]
    compile_seconds: float
    train_seconds: float


def train(
    network: Network,
    optimizer: optax.GradientTransformation,
    settings: Settings,
    images: ImageParts,
    members: Sequence[Member],
    report: Callable[[Progress], None] = lambda progress: None,
    streaming: bool = False,
    keeper: Keeper | None = None,
    compiling: Callable[[], None] = lambda: None,
    debug_nans: bool = False,
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
        keeper: keeps snapshots, gives the one to begin from, and may end the run.
        compiling: is called when the beginning is kept, and compiling begins.
        debug_nans: where a number is not finite, look for the operation that made it.

    Raises:
        Diverged: a loss, a parameter or the optimiser's state became infinite or NaN; the message
            names the seed, the step and the first array of the step that is not finite.
        Refusal: streaming was asked for and Grain is not installed.
    """
    keeper = keeper or Keeper()
    feed = Streaming(images, members, settings) if streaming else Resident(images)
    members = jax.device_put(list(members))
    fresh = [initial_state(network, optimizer, member.key) for member in members]
    start = keeper.begin(Snapshot(0, fresh, [Shown(settings.seed + k) for k in range(len(fresh))]))
    runs, history, step = list(start.shown), list(start.history), start.step
    compiling()
    began = time.perf_counter()
    seeds = make_seeds(network, optimizer, settings, feed, members, start.states)
    guard = Guard(network, optimizer, settings, feed, members, seeds.states(), debug_nans)
    compiled = time.perf_counter()
    while step < settings.steps:
        spent = time.perf_counter() - compiled
        stop = _next_stop(step, start.step, settings, feed.chunk_steps, spent)
        stop = min(stop, keeper.next_stop(step))
        for run, metrics in zip(runs, guard.advance(seeds, step, stop), strict=True):
            run.loss.add(metrics.loss + metrics.decay_loss)
            run.accuracy.add(metrics.accuracy)
        if stop % settings.validation_interval == 0 or stop == settings.steps:
            for run, looked in zip(runs, seeds.look(stop), strict=True):
                run.validation_accuracy = looked
                history.append(_record(run, stop, looked))
        step = stop
        spent = time.perf_counter() - compiled
        now = functools.partial(_snapshot, step, seeds, runs, history, start.seconds + spent)
        keeper.reached(step, settings.steps, now)
        report(_progress(runs, step, start.step, settings, spent))
    params = [state.params for state in seeds.states()]
    seconds = start.seconds + time.perf_counter() - compiled
    return Trained(params, history, compiled - began, seconds)


def _next_stop(step: int, first: int, settings: Settings, chunk_steps: int, spent: float) -> int:
    """The step to stop at: the next look at validation, the end, or about two seconds on.

    A chunk begins at a multiple of its length at the latest: there the next block begins.
    """
    interval = settings.validation_interval
    done = step - first
    affordable = int(_CHUNK_SECONDS * done / spent) if done else _FIRST_STOP
    ahead = min(max(affordable, 1), chunk_steps - step % chunk_steps)
    return min(step + ahead, (step // interval + 1) * interval, settings.steps)


def _snapshot(
    step: int, seeds: Seeds, runs: Sequence[Shown], history: Sequence[Record], seconds: float
) -> Snapshot:
    return Snapshot(step, seeds.states(), copy.deepcopy(runs), tuple(history), seconds)


def _record(run: Shown, step: int, validation_accuracy: float) -> Record:
    values = (run.loss.value, run.accuracy.value, validation_accuracy)
    return Record(run.seed, step, *(round(value, 6) for value in values))


def _progress(
    runs: list[Shown], step: int, first: int, settings: Settings, spent: float
) -> Progress:
    looks = [run.validation_accuracy for run in runs if run.validation_accuracy is not None]
    return Progress(
        step=step,
        steps=settings.steps,
        loss=float(np.mean([run.loss.value for run in runs])),
        accuracy=float(np.mean([run.accuracy.value for run in runs])),
        validation_accuracy=float(np.mean(looks)) if looks else None,
        images_per_second=len(runs) * (step - first) * settings.batch_size / spent,
        seconds_left=spent / (step - first) * (settings.steps - step),
    )
