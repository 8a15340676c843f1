"""The report's networks and schedules by name."""

import dataclasses
import math
from typing import Any

from ffnn_jax._errors import UserError, suggestion
from ffnn_jax.config._augmentations import AlternatingFlip, Crop, Cutout
from ffnn_jax.config._settings import Settings
from ffnn_jax.config._validation import DRAWN_2001, Validation
from ffnn_jax.nn import GELU, BatchNorm, Conv, Dense, Layer, MaxPool, ReLU, Residual, Scale

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


_TORCH = 1 / math.sqrt(6)  # init_scale of PyTorch's default variance, 1 / (3 fan_in)


def _ladder(
    name: str,
    groups: tuple[Layer, ...],
    epochs: float,
    batch: int,
    images: int = 50_000,
    patches: int = 24,
    **changes: Any,
) -> Settings:
    """Groups of layers with the first and last layers and the recipe of Jordan's airbench."""
    whitening = Conv(patches, 2, padding="VALID", start="whitening")
    head = Dense(10, bias=False, init_scale=_TORCH), Scale(1 / 9, trained=False)
    per_epoch = images // batch
    recipe = Settings(
        preset=name,
        dataset="cifar10",
        layers=(whitening, GELU(), *groups, MaxPool(3), *head),
        normalisation="channel-mean-sd",
        augmentations=(AlternatingFlip(), Crop(2)),
        validation=Validation("none"),
        sampling="epochs",
        steps=math.ceil(epochs * per_epoch),
        batch_size=batch,
        learning_rate=1.5 * batch / 1024,
        schedule="piecewise-linear",
        rate_points=((0.0, 0.2), (0.23, 1.0), (1.0, 0.07)),
        optimizer="nesterov",
        momentum=0.85,
        weight_decay=0.00133,
        group_rates=(("norm", 64.0),),
        group_steps=(("whitening", 3 * per_epoch),),
        label_smoothing=0.2,
        lookahead=5,
        views="six",
    )
    return dataclasses.replace(recipe, **changes)


def _groups(*widths: int, residual: bool = False) -> tuple[Layer, ...]:
    """A group of convolutions for each width; a residual one has a third convolution."""
    return tuple(layer for width in widths for layer in _group(width, residual))


def _group(width: int, residual: bool) -> tuple[Layer, ...]:
    conv = Conv(width, 3, start="dirac", bias=False, init_scale=_TORCH)
    norm = BatchNorm(momentum=0.6, eps=1e-12, scale=False)
    first, second = (conv, MaxPool(2), norm, GELU()), (conv, norm)
    if residual:
        return (*first, Residual((*second, GELU(), conv, norm)), GELU())
    return (*first, *second, GELU())


_RESIDUAL: dict[str, Any] = {
    "learning_rate": 9 / 11.5 * 1.5, "augmentations": (AlternatingFlip(), Crop(4), Cutout(12)),
}  # fmt: skip
_DIGITS: dict[str, Any] = {
    "images": 60_000, "patches": 8, "dataset": "mnist", "augmentations": (Crop(2),), "views": "one",
}  # fmt: skip


def _muon(batch: int, rate: float) -> dict[str, Any]:
    """The rates of airbench's Muon, but for that of the kernels, in batches of this size."""
    return {
        "optimizer": "muon", "muon_rate": rate, "learning_rate": 1.656 * batch / 2000,
        "weight_decay": 0.0024, "lookahead": 0, "rate_points": ((0.0, 1.0), (1.0, 0.0)),
        "group_rates": (("norm", 64.0), ("whitening", 64.0)),
    }  # fmt: skip


PRESETS: dict[str, Settings] = {
    # Batches of 32 had the best validation accuracy among 16 and 32 at rates 0.03, 0.05 and 0.1.
    "quickstart": dataclasses.replace(
        _MNIST, preset="quickstart", dataset="mnist_5k", batch_size=32
    ),
    # Narrow enough for central differences, by the chapter's equation form of the convolution.
    "course": dataclasses.replace(
        _MNIST,
        preset="course",
        dataset="mnist_5k",
        steps=600,
        learning_rate=0.4,
        layers=(MaxPool(2), Conv(8, 5), ReLU(), MaxPool(2), Dense(10)),
        schedule="triangular",
        forms=tuple((f"{part} more 1-16", "im2col") for part in ("forward", "images", "kernels")),
    ),
    "mnist": _MNIST,
    **{f"cifar10-{row}": _cifar10(row, layers) for row, layers in _CIFAR10_LAYERS.items()},
    "cifar10-6b": _cifar10("6b", _CIFAR10_LAYERS["0"], learning_rate=5e-4, steps=10_000),
    "cifar10-7": _cifar10("7", _CIFAR10_LAYERS["0"], batch_size=32),
    "cifar10-final": _cifar10("final", _CIFAR10_LAYERS["3"]),
    # Rates of minute, coffee and mnist-99: on held-out images, experiments/ladder.py --select.
    "cifar10-minute": _ladder("cifar10-minute", _groups(16, 64, 64), 3.25, 256, **_muon(256, 0.08)),
    "cifar10-coffee": _ladder("cifar10-coffee", _groups(32, 128, 128), 8, 512, **_muon(512, 0.08)),
    "cifar10-93": _ladder("cifar10-93", _groups(64, 128, 128), 11, 1024),
    "cifar10-94": _ladder("cifar10-94", _groups(64, 256, 256), 8, 2000, **_muon(2000, 0.24)),
    "cifar10-96": _ladder(
        "cifar10-96", _groups(128, 384, 512, residual=True), 37, 1024, **_RESIDUAL
    ),
    "mnist-99": _ladder("mnist-99", _groups(16, 32, 64), 5, 256, **_DIGITS),
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
