"""The shared workload of the peers: a network, its initial weights and batches."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from jaxtyping import Float, Int32

from ffnn_jax.config import preset
from ffnn_jax.nn import Conv, Dense, Layer, MaxPool, ReLU, shapes_through

CHUNK = 10
"""Steps per call of a stepper."""
_WIDE = (
    Conv(64, 3), ReLU(), MaxPool(2), Conv(128, 3), ReLU(), MaxPool(2), Conv(256, 3), ReLU(),
    Dense(10),
)  # fmt: skip
NETWORKS: dict[str, tuple[tuple[Layer, ...], tuple[int, int, int]]] = {
    "mnist": (preset("mnist").layers, (28, 28, 1)),
    "cifar10-0": (preset("cifar10-0").layers, (32, 32, 3)),
    "cifar10-3": (preset("cifar10-3").layers, (32, 32, 3)),
    "wide": (_WIDE, (32, 32, 3)),
}


class Stepper(Protocol):
    """A network under training."""

    def run(self) -> list[float]:
        """Runs CHUNK steps over the workload's batches in order; returns each loss."""
        ...


@dataclasses.dataclass(frozen=True)
class Workload:
    """Ten classes, momentum as in (24) and (25) without decay.

    Attributes:
        network: its name in NETWORKS.
        batch: images per step.
    """

    network: str
    batch: int
    alpha: float = 0.002
    mu: float = 0.9

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The network's layers."""
        return NETWORKS[self.network][0]

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of an image."""
        return NETWORKS[self.network][1]

    def weights(self) -> list[tuple[Float[np.ndarray, "..."], Float[np.ndarray, " K"]]]:
        """Weights and biases of each layer that has them, in order and in this package's layout."""
        draw, found = np.random.default_rng(0), []
        for layer, shape in zip(self.layers, self.shapes(), strict=False):
            if isinstance(layer, Conv | Dense):
                w = layer.params(shape)["w"].shape
                scale = 1 / math.sqrt(math.prod(w[:-1]) / 2)
                found.append((_normal(draw, w) * np.float32(scale), np.zeros(w[-1], np.float32)))
        return found

    def batches(self) -> list[tuple[Float[np.ndarray, "N H W C"], Int32[np.ndarray, " N"]]]:
        """CHUNK batches of random images (mean 0, deviation 1) and labels; each occurs twice."""
        draw = np.random.default_rng(1)
        drawn = [
            (
                _normal(draw, (self.batch, *self.input_shape)),
                draw.integers(0, 10, self.batch, np.int32),
            )
            for _ in range(CHUNK // 2)
        ]
        return drawn + drawn

    def shapes(self) -> Sequence[tuple[int, ...]]:
        """The input shape of each layer, followed by the output shape."""
        return shapes_through(self.layers, self.input_shape)


def _normal(draw: np.random.Generator, shape: tuple[int, ...]) -> Float[np.ndarray, "..."]:
    return draw.standard_normal(shape, np.float32)
