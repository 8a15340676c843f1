"""Settings that are trained in a moment."""

import dataclasses

from experiments._quick import quickly
from ffnn_jax.config import preset
from ffnn_jax.nn import Dense, MaxPool

SMALL = dataclasses.replace(quickly(preset("mnist")), layers=(MaxPool(4), Dense(10)))
