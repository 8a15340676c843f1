"""Layer descriptions made into a network: ``init``, ``apply`` and ``summary``."""

from ffnn_jax.config import Conv, Dense, Layer, LeakyReLU, MaxPool, ReLU, Sigmoid
from ffnn_jax.network._network import Network, Params
from ffnn_jax.network._summary import Summary, SummaryRow

__all__ = [
    "Conv",
    "Dense",
    "Layer",
    "LeakyReLU",
    "MaxPool",
    "Network",
    "Params",
    "ReLU",
    "Sigmoid",
    "Summary",
    "SummaryRow",
]
