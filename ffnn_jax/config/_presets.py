"""The report's networks and schedules by name."""

import dataclasses
from typing import Any

from ffnn_jax._errors import UserError, suggestion
from ffnn_jax.config._settings import Settings
from ffnn_jax.config._validation import DRAWN_2001
from ffnn_jax.nn import Conv, Dense, Layer, MaxPool, ReLU

# The report's first convolution is initialised as if its grey images had three channels.
_MNIST_LAYERS = (
    Conv(16, 5, init_fan_in=5 * 5 * 3), ReLU(), MaxPool(2),
    Conv(16, 5), ReLU(), MaxPool(2),
    Dense(10),
)  # fmt: skip

_MNIST = Settings(
    preset="mnist",
    dataset="mnist",
    layers=_MNIST_LAYERS,
    pixel_scale=1 / 255,
    normalisation="mean",
    validation=DRAWN_2001,
    steps=3000,
    batch_size=16,
    learning_rate=0.1,
    momentum=0.9,
    weight_decay=0.005,
)

_CONV = Conv(16, 5, init_scale=0.1)
_DEEPER = (_CONV, ReLU(), MaxPool(2), _CONV, ReLU(), MaxPool(2), _CONV, ReLU())
_CIFAR10_LAYERS: dict[str, tuple[Layer, ...]] = {
    "0": (_CONV, ReLU(), MaxPool(2), _CONV, ReLU(), Dense(10)),
    "1": (_CONV, MaxPool(2), _CONV, ReLU(), Dense(10)),
    "2": (_CONV, MaxPool(2), _CONV, Dense(10)),
    "3": (*_DEEPER, Dense(10)),
    "4": (*_DEEPER, Dense(64), Dense(10)),
    "5": (*_DEEPER, Dense(64), ReLU(), Dense(10)),
    "6a": (*_DEEPER, MaxPool(2), _CONV, ReLU(), Dense(10)),
}


def _cifar10(row: str, layers: tuple[Layer, ...], **changes: Any) -> Settings:
    """A model of the report's Table 3: the settings of its starting point, with changes."""
    starting_point = Settings(
        preset=f"cifar10-{row}",
        dataset="cifar10",
        layers=layers,
        pixel_scale=1.0,
        normalisation="channel-mean",
        train_images=20_000,
        validation=DRAWN_2001,
        steps=5000,
        batch_size=16,
        learning_rate=1e-3,
        momentum=0.95,
        weight_decay=0.001,
    )
    return dataclasses.replace(starting_point, **changes)


PRESETS: dict[str, Settings] = {
    # Batches of 32 had the best validation accuracy among 16 and 32 at rates 0.03, 0.05 and 0.1.
    "quickstart": dataclasses.replace(
        _MNIST, preset="quickstart", dataset="mnist_5k", batch_size=32
    ),
    "mnist": _MNIST,
    **{f"cifar10-{row}": _cifar10(row, layers) for row, layers in _CIFAR10_LAYERS.items()},
    "cifar10-6b": _cifar10("6b", _CIFAR10_LAYERS["0"], learning_rate=5e-4, steps=10_000),
    "cifar10-7": _cifar10("7", _CIFAR10_LAYERS["0"], batch_size=32),
    "cifar10-final": _cifar10("final", _CIFAR10_LAYERS["3"]),
}


def preset(name: str) -> Settings:
    """The settings of a preset.

    Raises:
        UserError: there is no preset of that name.
    """
    if name not in PRESETS:
        known = ", ".join(PRESETS)
        raise UserError(f"unknown preset {name!r} (known: {known}){suggestion(name, PRESETS)}")
    return PRESETS[name]
