"""Keras on JAX: a compiled model and train_on_batch."""

# pyright: reportMissingImports=false

import os
from collections.abc import Iterator
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

import keras

from experiments.peers._workload import Stepper, Workload
from ffnn_jax.nn import GELU, BatchNorm, Conv, Dense, Layer, MaxPool, ReLU, Scale


def make(workload: Workload, variant: str) -> Stepper:
    """The only stepper."""
    return _Keras(workload)


class _Keras:
    def __init__(self, workload: Workload) -> None:
        self._model = _model(workload)
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


class _Factor(keras.layers.Layer):
    def build(self, input_shape: Any) -> None:
        self.factor = self.add_weight(shape=(), initializer="ones")

    def call(self, x: Any) -> Any:
        return self.factor * x


def _model(workload: Workload) -> Any:
    layers = zip(workload.layers, workload.shapes(), strict=False)
    parts = [list(_parts(layer, shape)) for layer, shape in layers]
    inputs = keras.Input(workload.input_shape)
    model = keras.Sequential([inputs, *(part for found in parts for part in found)])
    for found, *arrays in zip(parts, workload.weights(), workload.running(), strict=True):
        found[-1].set_weights([array for each in arrays for array in each.values()])
    return model


def _parts(layer: Layer, shape: tuple[int, ...]) -> Iterator[Any]:
    """The Keras layers of a layer; the last has its weights."""
    match layer:
        case Conv():
            padding = str(layer.padding).lower()
            yield keras.layers.Conv2D(
                layer.filters, layer.size, padding=padding, use_bias=layer.bias
            )
        case BatchNorm():
            yield keras.layers.BatchNormalization(
                momentum=layer.momentum, epsilon=layer.eps, scale=False
            )
        case ReLU():
            yield keras.layers.ReLU()
        case GELU():
            yield keras.layers.Activation("gelu")  # by the error function
        case MaxPool():
            yield keras.layers.MaxPooling2D(layer.window)
        case Dense():
            if len(shape) == 3:
                yield keras.layers.Flatten()
            yield keras.layers.Dense(layer.units, use_bias=layer.bias)
        case Scale():
            yield _Factor()
