"""The loop around the compiled chunks: validation, progress, and one state per seed."""

import copy
import functools
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ffnn_jax._device import device_in_use
from ffnn_jax.config import Settings
from ffnn_jax.network import Network, Params, State, normalise
from ffnn_jax.training._images import HostImages
from ffnn_jax.training._loader import InMemoryLoader, StreamingLoader
from ffnn_jax.training._nan_check import NanCheck
from ffnn_jax.training._placement import places, replicated
from ffnn_jax.training._sampling import SeedData
from ffnn_jax.training._snapshot import Callbacks, Progress, Record, RunningMetrics, Snapshot
from ffnn_jax.training._step import TrainState, initial_state
from ffnn_jax.training._trainer import Trainer, is_one_program, make_trainer

_FIRST_STOP = 10
_CHUNK_SECONDS = 2.0


class TrainingResult(NamedTuple):
    """The result of training: each seed's parameters and state, the history, and the times."""

    params: list[Params]
    state: list[State]
    history: list[Record]
    compile_seconds: float
    train_seconds: float


def train(
    network: Network,
    optimizer: optax.GradientTransformation,
    settings: Settings,
    images: HostImages,
    seeds_data: Sequence[SeedData],
    callbacks: Callbacks | None = None,
    streaming: bool = False,
    debug_nans: bool = False,
    devices: Sequence[Any] = (),
) -> TrainingResult:
    """Trains one network per seed, all in lockstep.

    On a CPU each seed is computed as if it were alone, so its result is the same bit for bit;
    where one program trains all seeds, or several devices one seed, sums may be rounded in another
    order. Seeds are spread over the devices first; a seed that has several trains on equal shards
    of its batches. Without ``devices`` it is jax's own.

    The optimiser, ours or any of optax, receives only the trained parameters. The images are those
    for training and for validation together; each seed's data have the indices of both. Streaming
    keeps them on the host and sends each batch ahead of use; ``debug_nans`` also finds the
    operation that produced a non-finite number.

    Raises:
        DivergedError: a loss, a parameter or a state became infinite or NaN; the message names the
            seed, the step and the first non-finite array of the step.
        UserError: streaming requires Grain, which is not installed.
    """
    callbacks = callbacks or Callbacks()
    begin = jax.jit(  # as one program
        functools.partial(initial_state, network, optimizer, looks_ahead=settings.lookahead > 0)
    )
    count = network.needs_images()

    def fresh_state(seed_data: SeedData) -> TrainState:
        if not count:
            return begin(seed_data.key, None)
        first = jnp.asarray(images.at(seed_data.train[:count]).pixels)
        return begin(seed_data.key, normalise(first, seed_data.normalisation))

    fresh = list(map(fresh_state, seeds_data))
    in_one_program = is_one_program(network, settings) and not streaming
    seed_places = places(devices or [device_in_use()], len(fresh), in_one_program)
    if streaming:
        loader = StreamingLoader(images, seeds_data, settings, seed_places)
    else:
        loader = InMemoryLoader(images, seed_places)
    seeds_data = list(map(replicated, seeds_data, seed_places))
    metrics = [RunningMetrics(settings.seed + k) for k in range(len(fresh))]
    start = callbacks.on_begin(Snapshot(0, fresh, metrics))
    runs, history, step = list(start.running_metrics), list(start.history), start.step
    callbacks.on_compile()
    began = time.perf_counter()
    run_args = network, optimizer, settings, loader, seeds_data
    trainer = make_trainer(*run_args, start.states, seed_places)
    nan_check = NanCheck(*run_args, trainer.copies(), debug_nans)
    compiled = time.perf_counter()

    def take_snapshot() -> Snapshot:
        seconds = start.seconds + time.perf_counter() - compiled
        return Snapshot(step, trainer.states(), copy.deepcopy(runs), tuple(history), seconds)

    while step < settings.steps:
        spent = time.perf_counter() - compiled
        stop = _next_stop(step, start.step, settings, loader.chunk_steps, spent)
        stop = callbacks.agree(min(stop, callbacks.next_stop(step)))
        for run, metrics in zip(runs, nan_check.run_steps(trainer, step, stop), strict=True):
            run.loss.add(metrics.loss + metrics.decay_loss)
            run.accuracy.add(metrics.accuracy)
        if stop % settings.validation_interval == 0 or stop == settings.steps:
            records = _validated(trainer, runs, stop)
            history += records
            for record in records:
                callbacks.on_record(record)
        step = stop
        spent = time.perf_counter() - compiled
        callbacks.on_stop(step, settings.steps, take_snapshot)
        callbacks.on_progress(_progress(runs, step, start.step, settings, spent))
    states = trainer.states()
    seconds = start.seconds + time.perf_counter() - compiled
    params, state = ([getattr(one, name) for one in states] for name in ("params", "state"))
    return TrainingResult(params, state, history, compiled - began, seconds)


def _validated(trainer: Trainer, runs: Sequence[RunningMetrics], step: int) -> list[Record]:
    """Validates each seed, and returns one record per seed."""
    records = []
    for run, accuracy in zip(runs, trainer.validate(step), strict=True):
        run.validation_accuracy = accuracy
        means = round(run.loss.value, 6), round(run.accuracy.value, 6)
        records.append(Record(run.seed, step, *means, accuracy and round(accuracy, 6)))
    return records


def _next_stop(step: int, first: int, settings: Settings, chunk_steps: int, spent: float) -> int:
    """The step to stop at: the next validation, the end, or about two seconds ahead.

    No chunk crosses a multiple of its length, where the next chunk begins.
    """
    interval = settings.validation_interval
    done = step - first
    affordable = int(_CHUNK_SECONDS * done / spent) if done else _FIRST_STOP
    ahead = min(max(affordable, 1), chunk_steps - step % chunk_steps)
    return min(step + ahead, (step // interval + 1) * interval, settings.steps)


def _progress(
    runs: list[RunningMetrics], step: int, first: int, settings: Settings, spent: float
) -> Progress:
    validated = [run.validation_accuracy for run in runs if run.validation_accuracy is not None]
    return Progress(
        step=step,
        steps=settings.steps,
        loss=float(np.mean([run.loss.value for run in runs])),
        accuracy=float(np.mean([run.accuracy.value for run in runs])),
        validation_accuracy=float(np.mean(validated)) if validated else None,
        images_per_second=len(runs) * (step - first) * settings.batch_size / spent,
        seconds_left=spent / (step - first) * (settings.steps - step),
    )
