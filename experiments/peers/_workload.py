"""The shared workload of the peers: a network, its initial weights and batches."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from jaxtyping import Float, Int32

from ffnn_jax.config import preset
from ffnn_jax.nn import (
    GELU,
    BatchNorm,
    Constant,
    Conv,
    Dense,
    Layer,
    MaxPool,
    Normal,
    Param,
    ReLU,
    Scale,
    Tree,
    shapes_through,
)

Arrays = dict[str, Float[np.ndarray, "..."]]
"""The arrays of one layer, by this package's names and in its layout."""
_DISTINCT_BATCHES = 5
_WIDE = (
    Conv(64, 3), ReLU(), MaxPool(2), Conv(128, 3), ReLU(), MaxPool(2), Conv(256, 3), ReLU(),
    Dense(10),
)  # fmt: skip


def airbench(*widths: int) -> tuple[Layer, ...]:
    """The network of airbench94 with groups of these widths; all of it is trained here."""
    groups = [layer for width in widths for layer in _group(width)]
    first = (Conv(24, 2, padding="VALID"), GELU())
    return (*first, *groups, MaxPool(3), Dense(10, bias=False), Scale(1 / 9))


def _group(width: int) -> tuple[Layer, ...]:
    conv, norm = Conv(width, 3, bias=False), BatchNorm(momentum=0.6, eps=1e-5, scale=False)
    return (conv, MaxPool(2), norm, GELU(), conv, norm, GELU())


NETWORKS: dict[str, tuple[tuple[Layer, ...], tuple[int, int, int]]] = {
    "mnist": (preset("mnist").layers, (28, 28, 1)),
    "cifar10-0": (preset("cifar10-0").layers, (32, 32, 3)),
    "cifar10-3": (preset("cifar10-3").layers, (32, 32, 3)),
    "wide": (_WIDE, (32, 32, 3)),
    "narrow94": (airbench(32, 128, 128), (32, 32, 3)),
    "airbench94": (airbench(64, 256, 256), (32, 32, 3)),
}
_LARGE = ("narrow94", "airbench94")


class Stepper(Protocol):
    """A network under training."""

    def run(self) -> list[float]:
        """Runs the workload's steps over its batches in order; returns each loss."""
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

    @property
    def large(self) -> bool:
        """Whether a step takes seconds on a CPU."""
        return self.network in _LARGE

    @property
    def steps(self) -> int:
        """Steps per call of a stepper."""
        return 2 if self.large else 10

    @property
    def seed(self) -> int:
        """Determines the initial weights."""
        return 0

    def weights(self) -> list[Arrays]:
        """The initial parameters of each layer, in order; {} for a layer without any."""
        draw = np.random.default_rng(self.seed)
        return [_initial(draw, layer.params(shape)) for layer, shape in self._inputs()]

    def running(self) -> list[Arrays]:
        """The running statistics of each layer before the first step; {} without any."""
        draw = np.random.default_rng(self.seed)
        return [_initial(draw, layer.state(shape)) for layer, shape in self._inputs()]

    def batches(self) -> list[tuple[Float[np.ndarray, "N H W C"], Int32[np.ndarray, " N"]]]:
        """A batch per step of a call: random images (mean 0, deviation 1) and labels, in turn."""
        draw = np.random.default_rng(1)
        drawn = [
            (
                draw.standard_normal((self.batch, *self.input_shape), np.float32),
                draw.integers(0, 10, self.batch, np.int32),
            )
            for _ in range(min(_DISTINCT_BATCHES, self.steps))
        ]
        return list(itertools.islice(itertools.cycle(drawn), self.steps))

    def shapes(self) -> Sequence[tuple[int, ...]]:
        """The input shape of each layer, followed by the output shape."""
        return shapes_through(self.layers, self.input_shape)

    def _inputs(self) -> list[tuple[Layer, tuple[int, ...]]]:
        return list(zip(self.layers, self.shapes(), strict=False))


def _initial(draw: np.random.Generator, specs: Tree) -> Arrays:
    return {name: _array(draw, spec) for name, spec in specs.items()}


def _array(draw: np.random.Generator, spec: Param) -> Float[np.ndarray, "..."]:
    """A normal draw or a constant, in float32."""
    match spec.init:
        case Normal(stddev):
            array = stddev * draw.standard_normal(spec.shape)
        case Constant(value):
            array = np.full(spec.shape, value)
        case other:
            raise ValueError(f"no peer is initialised by {other}")
    return np.asarray(array, np.float32)
