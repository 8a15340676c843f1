"""Settings that train within a moment."""

import dataclasses

from experiments._quick import quick_settings
from ffnn_jax.config import preset
from ffnn_jax.nn import Dense, MaxPool

SMALL = dataclasses.replace(quick_settings(preset("mnist")), layers=(MaxPool(4), Dense(10)))
