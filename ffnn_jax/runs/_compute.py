"""Settings and data in, trained and tested models out."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import optax

from ffnn_jax.config import Dense, Refusal, Settings, preset
from ffnn_jax.data import Dataset, Splits, load_splits
from ffnn_jax.models import Model
from ffnn_jax.network import Network
from ffnn_jax.optim import momentum, triangular
from ffnn_jax.runs._checkpoints import Checkpoints
from ffnn_jax.runs._outcome import Outcome
from ffnn_jax.training import (
    ImageParts,
    Images,
    Member,
    Progress,
    Split,
    fits_on_device,
    hold_out,
    normalisation_of,
    train,
)


class Observer:
    """Is told how a run goes; this one does not listen."""

    def compiling(self) -> None:
        """The training step is being compiled."""

    def progress(self, progress: Progress) -> None:
        """Some steps are done."""

    def evaluating(self) -> None:
        """Training is done; all images are being classified, the test images first."""

    def tested(self, accuracies: Sequence[float]) -> None:
        """The test accuracy of every seed is known; the training images are next."""


def fitted(settings: Settings, splits: Splits) -> Settings:
    """A preset's settings with what another data set asks of them.

    The last layer, if it is dense, gives one output a class; at most a fifth of the training
    images are held out for validation, unless another number than the preset's was asked for.
    """
    *layers, last = settings.layers
    if isinstance(last, Dense):
        last = dataclasses.replace(last, units=len(splits.train.class_names))
    held_out = settings.held_out
    if held_out == preset(settings.preset).held_out:
        held_out = min(held_out, max(len(splits.train) // 5, 1))
    return dataclasses.replace(settings, layers=(*layers, last), held_out=held_out)


def run_network(settings: Settings, splits: Splits) -> Network:
    """The network of a run, once settings and data are found to fit.

    Raises:
        Refusal: a layer or an augmentation does not fit the images, the outputs are not one a
            class, the batch is larger than the training set; or the splits differ in images or
            classes.
    """
    network = Network(settings.layers, splits.train.image_shape)
    outputs, classes = network.output_shape, len(splits.train.class_names)
    if outputs != (classes,):
        name = splits.train.name
        raise Refusal(f"{name} has {classes} classes, the network has outputs {outputs}")
    for augmentation in settings.augmentations:
        augmentation.require_fits(splits.train.image_shape)
    for part in splits[1:]:
        if part is not None and _kind(part) != _kind(splits.train):
            raise Refusal(f"{part.name} has other images or classes than {splits.train.name}")
    trained_on = len(_split(settings, splits, settings.seed).train)
    if settings.batch_size > trained_on:
        size = settings.batch_size
        raise Refusal(f"batch-size must be at most the {trained_on} training images, got {size}")
    return network


def compute(
    settings: Settings,
    splits: Splits | None = None,
    observer: Observer | None = None,
    streaming: bool | None = None,
    checkpoints: Checkpoints | None = None,
    debug_nans: bool = False,
) -> Outcome:
    """Trains and tests one network for each seed.

    Args:
        settings: what to compute.
        splits: the images; those that the settings name if not given.
        observer: is told how it goes.
        streaming: whether images stay on the host and are sent to the device ahead of their use;
            if not given, where they would take more than half of the device's memory. The
            batches are the same.
        checkpoints: keep the run as it goes, and give where to go on.
        debug_nans: where a number is not finite, look for the operation that made it.

    Raises:
        Refusal: settings and data do not fit, the data set is not prepared, or streaming needs
            Grain, which is not installed; or the run that the checkpoints are to go on with was
            another.
        Interrupted: the checkpoints were asked to end the run.
        Diverged: a number became infinite or NaN; seed, step and array are named.
        TypeError: the settings are no Settings.
    """
    if not isinstance(settings, Settings):
        raise TypeError(f"compute: settings must be Settings, as of preset(), got {settings!r}")
    observer = observer or Observer()
    if splits is None:
        splits = load_splits(settings.dataset, train_images=settings.train_images)
    network = run_network(settings, splits)
    images = _training_images(splits)
    streaming = not fits_on_device(images) if streaming is None else streaming
    seeds = range(settings.seed, settings.seed + settings.seeds)
    members = [_member(settings, splits, images, seed) for seed in seeds]
    optimizer = _optimizer(settings)
    keeper = None if checkpoints is None else checkpoints.of_run(_said(settings, splits, members))
    trained = train(
        network,
        optimizer,
        settings,
        images,
        members,
        observer.progress,
        streaming,
        keeper,
        observer.compiling,
        debug_nans,
    )
    observer.evaluating()
    models = [
        Model(network, params, member.normalisation, splits.train.class_names)
        for params, member in zip(trained.params, members, strict=True)
    ]
    tested = [model.probabilities(splits.test.images) for model in models]
    observer.tested([float(np.mean(p.argmax(axis=1) == splits.test.labels)) for p in tested])
    pairs = list(zip(models, members, strict=True))
    return Outcome(
        settings,
        splits,
        streaming,
        models,
        trained,
        train_accuracy=[_accuracy(m, images, member.train) for m, member in pairs],
        validation_accuracy=[_accuracy(m, images, member.validation) for m, member in pairs],
        test_probabilities=tested,
    )


def _optimizer(settings: Settings) -> optax.GradientTransformation:
    alpha: optax.ScalarOrSchedule = settings.learning_rate
    if settings.schedule == "triangular":
        alpha = triangular(alpha, settings.steps)
    return momentum(alpha, settings.momentum, settings.weight_decay)


def _said(settings: Settings, splits: Splits, members: Sequence[Member]) -> dict[str, Any]:
    """What a checkpoint says of its run, beside the state."""
    normalisations = [[array.tolist() for array in one.normalisation] for one in members]
    return {
        "settings": settings.to_json(),
        "data_sha256": {part.name: part.sha256 for part in splits if part is not None},
        "normalisation": normalisations,
    }


def _kind(part: Dataset) -> tuple[Any, ...]:
    return part.image_shape, part.class_names


def _training_images(splits: Splits) -> ImageParts:
    """Training images, and after them those of the validation split."""
    parts = (part for part in splits[:2] if part is not None)
    return ImageParts(tuple(Images(part.images, part.labels) for part in parts))


def _split(settings: Settings, splits: Splits, seed: int) -> Split:
    count = len(splits.train)
    if splits.validation is None:
        return hold_out(seed, count, settings.held_out)
    both = np.arange(count + len(splits.validation), dtype=np.int32)
    return Split(both[:count], both[count:])


def _member(settings: Settings, splits: Splits, images: ImageParts, seed: int) -> Member:
    train_rows, validation_rows = _split(settings, splits, seed)
    blocks = (block.pixels for block in images.blocks(train_rows))
    normalisation = normalisation_of(blocks, settings.pixel_scale, settings.normalisation)
    return Member(jax.random.key(seed), train_rows, validation_rows, normalisation)


def _accuracy(model: Model, images: ImageParts, rows: np.ndarray) -> float:
    correct = (model.predict(block.pixels) == block.labels for block in images.blocks(rows))
    return float(np.mean(np.concatenate(list(correct))))
