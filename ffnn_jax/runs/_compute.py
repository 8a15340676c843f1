"""Settings and data in, trained and tested models out."""

from typing import Any

import jax
import numpy as np

from ffnn_jax.config import Settings
from ffnn_jax.data import Splits, load_splits
from ffnn_jax.models import Model
from ffnn_jax.network import normalisation_of
from ffnn_jax.runs._outcome import Outcome, accuracies
from ffnn_jax.runs._plan import Plan, optimizer_of, plan, split
from ffnn_jax.training import Callbacks, ImageParts, Images, Member, fits_on_device, train


def compute(
    settings: Settings,
    splits: Splits | None = None,
    callbacks: Callbacks | None = None,
    streaming: bool | None = None,
    debug_nans: bool = False,
) -> Outcome:
    """Trains and tests one network for each seed.

    Args:
        settings: what to compute.
        splits: the images; those that the settings name if not given.
        callbacks: are told how it goes, and keep checkpoints.
        streaming: whether images stay on the host and are sent to the device ahead of their use;
            if not given, where they would take more than half of the device's memory. The
            batches are the same.
        debug_nans: where a number is not finite, look for the operation that made it.

    Raises:
        Refusal: settings and data do not fit, the data set is not prepared, or streaming needs
            Grain, which is not installed; or the run that is to be resumed was another.
        Interrupted: the callbacks were asked to end the run.
        Diverged: a number became infinite or NaN; seed, step and array are named.
        TypeError: the settings are no Settings.
    """
    if not isinstance(settings, Settings):
        raise TypeError(f"compute: settings must be Settings, as of preset(), got {settings!r}")
    if splits is None:
        splits = load_splits(settings.dataset, train_images=settings.train_images)
    return carry_out(plan(settings, splits), callbacks, streaming, debug_nans)


def carry_out(
    planned: Plan,
    callbacks: Callbacks | None = None,
    streaming: bool | None = None,
    debug_nans: bool = False,
) -> Outcome:
    """Trains and tests what was planned; arguments and errors are those of ``compute``."""
    settings, splits, network = planned
    callbacks, images = callbacks or Callbacks(), _training_images(splits)
    streaming = not fits_on_device(images) if streaming is None else streaming
    seeds = range(settings.seed, settings.seed + settings.seeds)
    members = [_member(settings, splits, images, seed) for seed in seeds]
    callbacks.describes(_described(planned, members))
    trained = train(
        network,
        optimizer_of(settings, network),
        settings,
        images,
        members,
        callbacks,
        streaming,
        debug_nans,
    )
    callbacks.evaluating()
    names = splits.train.class_names
    models = [
        Model(network, params, state, member.normalisation, names)
        for params, state, member in zip(trained.params, trained.state, members, strict=True)
    ]
    tested = [model.probabilities(splits.test.images) for model in models]
    callbacks.tested(accuracies(tested, splits.test.labels))
    pairs = list(zip(models, members, strict=True))
    return Outcome(
        settings,
        splits,
        streaming,
        models,
        trained,
        train_accuracy=[_accuracy(m, images, member.train) for m, member in pairs],
        validation_accuracy=[
            _accuracy(m, images, member.validation) if len(member.validation) else None
            for m, member in pairs
        ],
        test_probabilities=tested,
    )


def _described(planned: Plan, members: list[Member]) -> dict[str, Any]:
    """What a checkpoint says of its run, beside the state."""
    return {
        "settings": planned.settings.to_json(),
        "data_sha256": {part.name: part.sha256 for part in planned.splits if part is not None},
        "normalisation": [
            [array.tolist() for array in member.normalisation or ()] for member in members
        ],
    }


def _training_images(splits: Splits) -> ImageParts:
    """Training images, and after them those of the validation split."""
    parts = (part for part in splits[:2] if part is not None)
    return ImageParts(tuple(Images(part.images, part.labels) for part in parts))


def _member(settings: Settings, splits: Splits, images: ImageParts, seed: int) -> Member:
    trained_on, validated_on = split(settings, splits, seed)
    blocks = (block.pixels for block in images.blocks(trained_on))
    normalisation = normalisation_of(blocks, settings.pixel_scale, settings.normalisation)
    return Member(jax.random.key(seed), trained_on, validated_on, normalisation)


def _accuracy(model: Model, images: ImageParts, indices: np.ndarray) -> float:
    correct = (model.predict(block.pixels) == block.labels for block in images.blocks(indices))
    return float(np.mean(np.concatenate(list(correct))))
