"""Settings that train within a moment."""

import dataclasses

from ffnn_jax.config import preset
from ffnn_jax.nn import Dense, MaxPool

SMALL = dataclasses.replace(
    preset("mnist"),
    dataset="mnist_5k",
    steps=3,
    validation_interval=3,
    layers=(MaxPool(4), Dense(10)),
)
"""Three steps of one dense layer on the bundled digits."""
