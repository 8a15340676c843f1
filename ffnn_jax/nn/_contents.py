"""The table of contents: the package's layers by name."""

from ffnn_jax.nn._activations import LeakyReLU, ReLU, Sigmoid
from ffnn_jax.nn._batch_norm import BatchNorm
from ffnn_jax.nn._conv import Conv
from ffnn_jax.nn._dense import Dense
from ffnn_jax.nn._dropout import Dropout
from ffnn_jax.nn._layer import Layer
from ffnn_jax.nn._nested import Residual, Sequential
from ffnn_jax.nn._pool import MaxPool

__all__ = [
    "BatchNorm",
    "Conv",
    "Dense",
    "Dropout",
    "LeakyReLU",
    "MaxPool",
    "ReLU",
    "Residual",
    "Sequential",
    "Sigmoid",
]

LAYERS: dict[str, type[Layer]] = {name: globals()[name] for name in __all__}
