"""A run: settings checked against the data, the network built, trained and tested."""

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from ffnn_jax import optim, training
from ffnn_jax._address import require_one_seed
from ffnn_jax._device import chosen_devices, on_devices
from ffnn_jax.config import Settings, UserError, Validation, suggestion
from ffnn_jax.data import OnProgress, Splits, load_splits
from ffnn_jax.layers.fast import forms
from ffnn_jax.models import Model, measure_form
from ffnn_jax.network import Network, compute_normalisation, partition, require_kept_contract
from ffnn_jax.nn import Dense
from ffnn_jax.runs._environment import forms_here, require_ready
from ffnn_jax.runs._result import RunResult, accuracies
from ffnn_jax.training import Callbacks, HostImages, Images, SeedData, fits_on_device, train


class Plan(NamedTuple):
    """A run's settings, images and network, checked against each other."""

    settings: Settings
    splits: Splits
    network: Network
    devices: Sequence[Any]

    @property
    def devices_used(self) -> int:
        """How many of the devices a seed is trained on; the others have none."""
        places = training.places(self.devices, self.settings.seeds, self.in_one_program)
        return len(set().union(*(place.device_set for place in places)))

    @property
    def in_one_program(self) -> bool:
        """Whether one program trains all seeds, unless images are streamed."""
        return training.is_one_program(self.network, self.settings)

    @property
    def validation_size(self) -> int:
        """The number of validation images."""
        own = self.splits.validation
        return self.settings.validation.images if own is None else len(own)

    @property
    def images_per_validation(self) -> int:
        """How many of them are drawn for one validation during training."""
        size = min(self.settings.batch_size, self.validation_size)
        return self.settings.validation_batches * size


def plan(settings: Settings, splits: Splits, devices: int | str = 1) -> Plan:
    """Builds a run's network, after checking that settings and data match.

    Settings that name no forms of convolutions get those of this processor.

    Raises:
        UserError: a layer or an augmentation does not fit the images, there is not one output
            per class, the batch is larger than the training set or cannot be cut into equal
            shards, there are not so many devices, nothing is trained, a group with
            its own rate has no parameters, a custom layer breaks the contract, or the splits
            differ in images or classes, or several processes train several seeds.
    """
    if jax.process_count() > 1:
        require_one_seed(settings.seeds)
    settings.to_json()  # a layer that could not be saved is said before there is a folder
    network = Network(settings.layers, splits.train.image_shape)
    outputs, classes = network.output_shape, len(splits.train.class_names)
    if outputs != (classes,):
        name = splits.train.name
        raise UserError(f"{name} has {classes} classes, the network has outputs {outputs}")
    height, width, *_ = *network.input_shape, 0, 0
    if settings.views != "one" and (len(network.input_shape) != 3 or min(height, width) < 2):
        raise UserError(f"views must be one for inputs {network.input_shape}: they are not images")
    for augmentation in settings.augmentations:
        augmentation.require_fits(splits.train.image_shape)
    kind = splits.train.image_shape, splits.train.class_names
    for part in splits[1:]:
        if part is not None and (part.image_shape, part.class_names) != kind:
            raise UserError(f"{part.name} and {splits.train.name} differ in image shape or classes")
    train_size = len(split(settings, splits, settings.seed).train)
    if settings.batch_size > train_size:
        batch = settings.batch_size
        most = f"at most the {train_size} training images, got {batch}"
        raise UserError(f"batch-size must be {most}: add --batch-size {train_size}")
    _require_trained(network, settings)
    require_kept_contract(network)
    if settings.forms is None:
        forms = forms_here(training.is_one_program(network, settings))
        settings = dataclasses.replace(settings, forms=forms)
    planned = Plan(settings, splits, network, chosen_devices(devices))
    if not planned.in_one_program:
        _require_equal_shards(planned, train_size)
    return planned


def _require_equal_shards(planned: Plan, train_size: int) -> None:
    """Rejects a batch that the devices of a seed cannot share equally."""
    size = planned.settings.batch_size
    share = training.devices_per_seed(len(planned.devices), planned.settings.seeds)
    if size % share:
        nearest = (size // share * share, size // share * share + share)
        fit = " or ".join(str(n) for n in nearest if 0 < n <= train_size)
        problem = f"{share} devices take equal shards of a batch"
        raise UserError(f"batch-size: {problem}, and {size} cannot be cut; take {fit}")


def adapt_to_dataset(settings: Settings, splits: Splits, kept: Collection[str] = ()) -> Settings:
    """Adapts a preset's settings to another data set.

    The last dense layer gets one output per class, and at most a fifth of the training images are
    used for validation, unless the kept settings, those explicitly given, name either.
    """
    layers = list(settings.layers)
    dense = [number for number, layer in enumerate(layers) if isinstance(layer, Dense)]
    if dense and "layers" not in kept:
        units = len(splits.train.class_names)
        layers[dense[-1]] = dataclasses.replace(layers[dense[-1]], units=units)
    validation, most = settings.validation, max(len(splits.train) // 5, 1)
    if "validation" not in kept and validation.images > most:
        validation = Validation(validation.chosen, most)
    return dataclasses.replace(settings, layers=tuple(layers), validation=validation)


def splits_of(
    settings: Settings, folder: Path | None = None, on_progress: OnProgress | None = None
) -> Splits:
    """The images of a run's settings; arguments and errors are those of ``load_splits``."""
    return load_splits(
        settings.dataset, folder, settings.train_images, size=settings.size,
        skip_damaged=settings.skip_damaged, on_progress=on_progress,
    )  # fmt: skip


def split(settings: Settings, splits: Splits, seed: int) -> training.Split:
    """A seed's training and validation images, as indices into both together."""
    count = len(splits.train)
    if splits.validation is None:
        return training.split_validation(seed, count, settings.validation)
    both = np.arange(count + len(splits.validation), dtype=np.int32)
    return training.Split(both[:count], both[count:])


def optimizer_of(settings: Settings, network: Network) -> optax.GradientTransformation:
    """The optimiser of the settings, for the trained parameters."""
    groups, decayed = map(network.trained_param_attribute, ("group", "decayed"))
    rates, steps = dict(settings.group_rates), dict(settings.group_steps)
    factors = jax.tree.map(lambda group: rates.get(group, 1.0), groups)
    scale = [optim.scale_by_group(factors)] if rates else []
    options = _schedule(settings, settings.learning_rate), settings.momentum, settings.weight_decay
    if settings.optimizer == "momentum":
        rules = [optim.momentum(*options, decayed), *scale]
    elif settings.optimizer == "nesterov":
        rules = [*scale, optim.nesterov(*options, decayed)]
    else:
        rules = [*scale, _muon_for_kernels(settings, network, options, decayed)]
    if steps:
        last = jax.tree.map(lambda group: steps.get(group, settings.steps), groups)
        rules.append(optim.train_for(last))
    return optax.chain(*rules) if len(rules) > 1 else rules[0]


def _muon_for_kernels(
    settings: Settings, network: Network, options: tuple[Any, float, float], decayed: Any
) -> optax.GradientTransformation:
    """Muon for kernels of convolutions, Nesterov's momentum for the other parameters."""
    shapes, _ = partition(network.shapes()[0], network.param_attribute("trained"))
    kernels = jax.tree.map(lambda array: len(array.shape) == 4, shapes)
    others = jax.tree.map(lambda k, d: optax.MaskedNode() if k else d, kernels, decayed)
    dtype = "bfloat16" if settings.precision == "bf16" else "float32"
    rule = optim.muon(_schedule(settings, settings.muon_rate), dtype=dtype)
    return optax.partition({True: rule, False: optim.nesterov(*options, others)}, kernels)


def _schedule(settings: Settings, peak: float) -> optax.ScalarOrSchedule:
    if settings.schedule == "triangular":
        return optim.triangular(peak, settings.steps)
    if settings.schedule == "piecewise-linear":
        return optim.piecewise_linear(peak, settings.steps, settings.rate_points)
    return peak


def _require_trained(network: Network, settings: Settings) -> None:
    """Rejects a network without trained parameters, and settings of groups without any."""
    trained = [param for param in network.all_params if param.trained]
    if not trained:
        raise UserError("layers: none has trained parameters")
    known = sorted({param.group for param in trained} - {""})
    for field in ("group_rates", "group_steps"):
        for name, _ in getattr(settings, field):
            if name not in known:
                hint = f"known: {', '.join(known)}" if known else "no trained parameter has a group"
                where, near = field.replace("_", "-"), suggestion(name, known)
                raise UserError(f"{where}: unknown group {name!r} ({hint}){near}")


def compute(
    settings: Settings,
    splits: Splits | None = None,
    callbacks: Callbacks | None = None,
    streaming: bool | None = None,
    debug_nans: bool = False,
    devices: int | str = 1,
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
        devices: how many of jax's devices to use, or "all". Seeds are spread over them first; the
            devices of one seed share its batches, which are the same on any number of them.

    Raises:
        UserError: settings, data and devices do not match, the data set is not prepared, streaming
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
        splits = splits_of(settings)
    return run_plan(plan(settings, splits, devices), callbacks, streaming, debug_nans)


def run_plan(
    planned: Plan,
    callbacks: Callbacks | None = None,
    streaming: bool | None = None,
    debug_nans: bool = False,
) -> RunResult:
    """Trains and tests the planned run; arguments and errors are those of ``compute``."""
    settings, splits, network, devices = planned
    callbacks, images = callbacks or Callbacks(), training_images(splits)
    streaming = not fits_on_device(images) if streaming is None else streaming
    seeds = range(settings.seed, settings.seed + settings.seeds)
    seeds_data = [seed_data_of(settings, splits, images, seed) for seed in seeds]
    callbacks.on_metadata({**run_metadata(planned, seeds_data), "streaming": streaming})
    trained = train(
        network, optimizer_of(settings, network), settings, images, seeds_data,
        callbacks, streaming, debug_nans, devices,
    )  # fmt: skip
    callbacks.on_evaluate()
    first, names = splits.train, splits.train.class_names
    form = measure_form(first.images, first.labels, names, settings.dataset)
    models = [
        Model(network, params, state, seed_data.normalisation, names, form, settings.views)
        for params, state, seed_data in zip(trained.params, trained.state, seeds_data, strict=True)
    ]
    pairs = list(zip(models, seeds_data, strict=True))
    with forms(settings.forms or ()), on_devices(devices):
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
        settings, splits, planned.devices_used, streaming, models, trained, train_accuracy,
        validation_accuracy, tested,
    )  # fmt: skip


def run_metadata(planned: Plan, seeds_data: list[SeedData]) -> dict[str, Any]:
    """The metadata that a checkpoint stores beside the state."""
    return {
        "settings": planned.settings.to_json(),
        "devices": planned.devices_used,
        "data_sha256": {part.name: part.sha256 for part in planned.splits if part is not None},
        "class_names": list(planned.splits.train.class_names),
        "normalisation": [
            [array.tolist() for array in seed_data.normalisation or ()] for seed_data in seeds_data
        ],
    }


def training_images(splits: Splits) -> HostImages:
    """The training images, followed by those of the validation split."""
    return HostImages(tuple(Images(p.images, p.labels) for p in splits[:2] if p is not None))


def seed_data_of(settings: Settings, splits: Splits, images: HostImages, seed: int) -> SeedData:
    train_indices, validation_indices = split(settings, splits, seed)
    chunks = (chunk.pixels for chunk in images.in_chunks(train_indices))
    normalisation = compute_normalisation(chunks, settings.pixel_scale, settings.normalisation)
    return SeedData(jax.random.key(seed), train_indices, validation_indices, normalisation)


def _accuracy(model: Model, images: HostImages, indices: np.ndarray) -> float:
    correct = (model.predict(chunk.pixels) == chunk.labels for chunk in images.in_chunks(indices))
    return float(np.mean(np.concatenate(list(correct))))
