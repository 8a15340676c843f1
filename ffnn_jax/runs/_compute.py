"""Settings and data in, trained and tested models out."""

import dataclasses
from typing import Any

import jax
import numpy as np

from ffnn_jax.config import Settings
from ffnn_jax.data import Splits, load_splits
from ffnn_jax.layers.fast import forms
from ffnn_jax.models import Model, measure_form
from ffnn_jax.network import compute_normalisation
from ffnn_jax.runs._environment import require_ready
from ffnn_jax.runs._plan import Plan, optimizer_of, plan, split
from ffnn_jax.runs._result import RunResult, accuracies
from ffnn_jax.training import Callbacks, HostImages, Images, SeedData, fits_on_device, train


def compute(
    settings: Settings,
    splits: Splits | None = None,
    callbacks: Callbacks | None = None,
    streaming: bool | None = None,
    debug_nans: bool = False,
) -> RunResult:
    """Trains and tests one network per seed.

    Args:
        settings: settings of the run.
        splits: the images; by default those named in the settings.
        callbacks: observe the run's progress, and save checkpoints.
        streaming: whether images stay on the host and are sent to the device ahead of use; by
            default if they would take more than half of the device's memory. The batches are
            the same.
        debug_nans: whether to find the operation that produced a non-finite number.

    Raises:
        UserError: settings and data do not match, the data set is not prepared, streaming
            requires Grain, which is not installed, the checkpoint is of a different run, or jax
            cannot compile here.
        RunInterruptedError: the callbacks ended the run on request.
        DivergedError: a number became infinite or NaN; the message names seed, step and array.
        TypeError: the settings are not a Settings object.
    """
    if not isinstance(settings, Settings):
        expected = "a Settings object, as from preset()"
        raise TypeError(f"compute: settings must be {expected}, got {settings!r}")
    require_ready()
    if splits is None:
        splits = load_splits(settings.dataset, train_images=settings.train_images)
    return run_plan(plan(settings, splits), callbacks, streaming, debug_nans)


def run_plan(
    planned: Plan,
    callbacks: Callbacks | None = None,
    streaming: bool | None = None,
    debug_nans: bool = False,
) -> RunResult:
    """Trains and tests the planned run; arguments and errors are those of ``compute``."""
    settings, splits, network = planned
    callbacks, images = callbacks or Callbacks(), _training_images(splits)
    streaming = not fits_on_device(images) if streaming is None else streaming
    seeds = range(settings.seed, settings.seed + settings.seeds)
    seeds_data = [_seed_data(settings, splits, images, seed) for seed in seeds]
    callbacks.on_metadata(_run_metadata(planned, seeds_data))
    trained = train(
        network, optimizer_of(settings, network), settings, images, seeds_data,
        callbacks, streaming, debug_nans,
    )  # fmt: skip
    callbacks.on_evaluate()
    first, names = splits.train, splits.train.class_names
    form = measure_form(first.images, first.labels, names, settings.dataset)
    models = [
        Model(network, params, state, seed_data.normalisation, names, form, settings.views)
        for params, state, seed_data in zip(trained.params, trained.state, seeds_data, strict=True)
    ]
    pairs = list(zip(models, seeds_data, strict=True))
    with forms(settings.forms or ()):
        tested = [model.probabilities(splits.test.images) for model in models]
        callbacks.on_test(accuracies(tested, splits.test.labels))
        train_accuracy = [
            _accuracy(dataclasses.replace(model, views="one"), images, one.train)
            for model, one in pairs
        ]
        validation_accuracy = [
            _accuracy(model, images, one.validation) if len(one.validation) else None
            for model, one in pairs
        ]
    return RunResult(
        settings, splits, streaming, models, trained, train_accuracy, validation_accuracy, tested
    )


def _run_metadata(planned: Plan, seeds_data: list[SeedData]) -> dict[str, Any]:
    """The metadata that a checkpoint stores beside the state."""
    return {
        "settings": planned.settings.to_json(),
        "data_sha256": {part.name: part.sha256 for part in planned.splits if part is not None},
        "normalisation": [
            [array.tolist() for array in seed_data.normalisation or ()] for seed_data in seeds_data
        ],
    }


def _training_images(splits: Splits) -> HostImages:
    """The training images, followed by those of the validation split."""
    return HostImages(tuple(Images(p.images, p.labels) for p in splits[:2] if p is not None))


def _seed_data(settings: Settings, splits: Splits, images: HostImages, seed: int) -> SeedData:
    train_indices, validation_indices = split(settings, splits, seed)
    chunks = (chunk.pixels for chunk in images.in_chunks(train_indices))
    normalisation = compute_normalisation(chunks, settings.pixel_scale, settings.normalisation)
    return SeedData(jax.random.key(seed), train_indices, validation_indices, normalisation)


def _accuracy(model: Model, images: HostImages, indices: np.ndarray) -> float:
    correct = (model.predict(chunk.pixels) == chunk.labels for chunk in images.in_chunks(indices))
    return float(np.mean(np.concatenate(list(correct))))
