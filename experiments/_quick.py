"""Settings small enough to show within seconds that an experiment works."""

import dataclasses
from collections.abc import Iterable

from ffnn_jax.config import Settings
from ffnn_jax.nn import Conv, Layer


def quick_settings(settings: Settings) -> Settings:
    """Three steps of narrow layers on the bundled digits, as a smoke test."""
    smaller = {"dataset": "mnist_5k", "steps": 3, "validation_interval": 3}
    return dataclasses.replace(settings, layers=narrow(settings.layers), **smaller)


def quick_rung(settings: Settings) -> Settings:
    """A rung of the ladder as a smoke test: of grey images, whose patches have four pixels."""
    whitening = Conv(8, 2, padding="VALID", start="whitening")
    layers = (whitening, *settings.layers[1:])
    return dataclasses.replace(quick_settings(settings), layers=layers, batch_size=32)


def narrow(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """The same layers with two 3 by 3 filters, which compile in half the time."""
    return tuple(
        dataclasses.replace(layer, filters=2, size=3) if isinstance(layer, Conv) else layer
        for layer in layers
    )
