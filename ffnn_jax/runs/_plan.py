"""A run before it begins: settings and data that fit each other, and the network built of them."""

import dataclasses
from collections.abc import Collection
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from ffnn_jax.config import Settings, UserError, Validation, suggestion
from ffnn_jax.data import Dataset, Splits
from ffnn_jax.network import Network, require_kept_contract
from ffnn_jax.nn import Dense
from ffnn_jax.optim import momentum, scale_by_group, triangular
from ffnn_jax.training import Split, split_validation


class Plan(NamedTuple):
    """What a run computes, found to fit.

    Attributes:
        settings: of the run.
        splits: the images.
        network: built of the settings' layers for these images.
    """

    settings: Settings
    splits: Splits
    network: Network


def plan(settings: Settings, splits: Splits) -> Plan:
    """Builds the network of a run, once settings and data are found to fit.

    Raises:
        UserError: a layer or an augmentation does not fit the images, the outputs are not one a
            class, the batch is larger than the training set, nothing is trained, a group with a
            rate of its own has no parameters, a layer of one's own does not keep to the contract;
            or the splits differ in images or classes.
    """
    network = Network(settings.layers, splits.train.image_shape)
    outputs, classes = network.output_shape, len(splits.train.class_names)
    if outputs != (classes,):
        name = splits.train.name
        raise UserError(f"{name} has {classes} classes, the network has outputs {outputs}")
    for augmentation in settings.augmentations:
        augmentation.require_fits(splits.train.image_shape)
    for part in splits[1:]:
        if part is not None and _kind(part) != _kind(splits.train):
            raise UserError(f"{part.name} has other images or classes than {splits.train.name}")
    trained_on = len(split(settings, splits, settings.seed).train)
    if settings.batch_size > trained_on:
        size = settings.batch_size
        raise UserError(f"batch-size must be at most the {trained_on} training images, got {size}")
    _require_trained(network, settings)
    require_kept_contract(network)
    return Plan(settings, splits, network)


def adapt_to_dataset(settings: Settings, splits: Splits, kept: Collection[str] = ()) -> Settings:
    """A preset's settings with what another data set asks of them.

    The last layer, if it is dense, gives one output a class; at most a fifth of the training
    images are drawn for validation.

    Args:
        settings: of the preset.
        splits: of the other data set.
        kept: names of settings that were asked for, and stay.
    """
    *layers, last = settings.layers
    if isinstance(last, Dense):
        last = dataclasses.replace(last, units=len(splits.train.class_names))
    validation, most = settings.validation, max(len(splits.train) // 5, 1)
    if "validation" not in kept and validation.images > most:
        validation = Validation(validation.chosen, most)
    return dataclasses.replace(settings, layers=(*layers, last), validation=validation)


def split(settings: Settings, splits: Splits, seed: int) -> Split:
    """The training and validation images of a seed, by their indices among both together."""
    count = len(splits.train)
    if splits.validation is None:
        return split_validation(seed, count, settings.validation)
    both = np.arange(count + len(splits.validation), dtype=np.int32)
    return Split(both[:count], both[count:])


def optimizer_of(settings: Settings, network: Network) -> optax.GradientTransformation:
    """Momentum by the settings, for the parameters that are trained."""
    alpha: optax.ScalarOrSchedule = settings.learning_rate
    if settings.schedule == "triangular":
        alpha = triangular(alpha, settings.steps)
    decayed = network.trained_param_attribute("decayed")
    rule = momentum(alpha, settings.momentum, settings.weight_decay, decayed)
    if not settings.group_rates:
        return rule
    rates, groups = dict(settings.group_rates), network.trained_param_attribute("group")
    factors = jax.tree.map(lambda group: rates.get(group, 1.0), groups)
    return optax.chain(rule, scale_by_group(factors))


def _require_trained(network: Network, settings: Settings) -> None:
    """Rejects a network in which nothing is trained, and rates of groups that it does not train."""
    trained = [param for param in network.all_params if param.trained]
    if not trained:
        raise UserError("layers: none has parameters that are trained")
    known = sorted({param.group for param in trained} - {""})
    for name, _ in settings.group_rates:
        if name not in known:
            there = f"known: {', '.join(known)}" if known else "no trained parameter has a group"
            raise UserError(
                f"group-rates: unknown group {name!r} ({there}){suggestion(name, known)}"
            )


def _kind(part: Dataset) -> tuple[Any, ...]:
    return part.image_shape, part.class_names
