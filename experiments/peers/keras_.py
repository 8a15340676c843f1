"""Keras on JAX: a compiled model and train_on_batch."""

# pyright: reportMissingImports=false

import os
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

import keras

from experiments.peers._workload import Stepper, Workload
from ffnn_jax.nn import Conv, Dense, MaxPool, ReLU


def make(workload: Workload, variant: str) -> Stepper:
    """The only stepper."""
    return _Keras(workload)


class _Keras:
    def __init__(self, workload: Workload) -> None:
        self._model = keras.Sequential([keras.Input(workload.input_shape), *_layers(workload)])
        flat = [array for pair in workload.weights() for array in pair]
        self._model.set_weights(flat)
        # Keras updates by v = mu v - rate g, which is -alpha m of (24) for this rate
        rate = workload.alpha * (1 - workload.mu)
        self._model.compile(
            keras.optimizers.SGD(rate, momentum=workload.mu),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        self._batches = workload.batches()

    def run(self) -> list[float]:
        """Runs one step per call; each returns its loss."""
        return [float(self._model.train_on_batch(*batch)) for batch in self._batches]


def _layers(workload: Workload) -> Any:
    for layer, shape in zip(workload.layers, workload.shapes(), strict=False):
        match layer:
            case Conv():
                yield keras.layers.Conv2D(layer.filters, layer.size, padding="same")
            case ReLU():
                yield keras.layers.ReLU()
            case MaxPool():
                yield keras.layers.MaxPooling2D(layer.window)
            case Dense():
                if len(shape) == 3:
                    yield keras.layers.Flatten()
                yield keras.layers.Dense(layer.units)
