"""A rung of the ladder as the peers train it: images, initial weights and the recipe, in numpy.

Kernels are trained by Muon, the other parameters by Nesterov's momentum.
"""

import argparse
import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Int, UInt8

from experiments._quick import quick_rung
from experiments.peers._workload import Arrays
from experiments.whole._data import PresetWorkload
from ffnn_jax.config import Crop, Settings, preset
from ffnn_jax.data import load_splits
from ffnn_jax.nn import Constant, Dirac, Normal, Param, PatchWhitening

RUNGS = "cifar10-minute", "cifar10-94"
VIEWS = {0: 0.25, 1: 0.5, 2: 0.25}
"""The weight of a view by where it begins in the image padded by a pixel."""


class Batch(NamedTuple):
    """One step's images, and how they are changed.

    Attributes:
        rows: the images.
        flipped: whether each is mirrored.
        offsets: where each crop begins in its padded image, vertically and horizontally.
    """

    rows: Int[np.ndarray, " B"]
    flipped: Int[np.ndarray, " B"]
    offsets: Int[np.ndarray, "2 B"]


@dataclasses.dataclass(frozen=True)
class Rung:
    """The settings of a rung, and what its training needs.

    Attributes:
        settings: its settings.
        images: the training images.
        labels: their labels.
        test_images: the test images.
        test_labels: their labels.
        mean: the mean of each channel of the training images.
        deviation: its standard deviation.
    """

    settings: Settings
    images: UInt8[np.ndarray, "N H W C"]
    labels: Int[np.ndarray, " N"]
    test_images: UInt8[np.ndarray, "M H W C"]
    test_labels: Int[np.ndarray, " M"]
    mean: Float32[np.ndarray, " C"]
    deviation: Float32[np.ndarray, " C"]

    @property
    def padding(self) -> int:
        """Pixels by which training images are padded, by reflection, before a crop."""
        return next(one.padding for one in self.settings.augmentations if isinstance(one, Crop))

    def normalised(self, pixels: np.ndarray) -> Float32[np.ndarray, "B H W C"]:
        """Pixels 0..255 with mean 0 and deviation 1."""
        return ((pixels - self.mean) / self.deviation).astype(np.float32)

    def batches(self) -> Iterator[Batch]:
        """The batches in order, each epoch a permutation of the images without its last part."""
        draw, size = np.random.default_rng(self.settings.seed), self.settings.batch_size
        first = draw.integers(0, 2, len(self.labels))
        steps, epoch = self.settings.steps, 0
        while steps:
            order = draw.permutation(len(self.labels))
            for start in range(0, min(len(order) // size, steps) * size, size):
                rows = order[start : start + size]
                flipped = (first[rows] + epoch) % 2
                yield Batch(rows, flipped, draw.integers(0, 2 * self.padding + 1, (2, size)))
                steps -= 1
            epoch += 1

    def factor(self, step: int) -> float:
        """The factor of the learning rates before this step."""
        shares, factors = zip(*self.settings.rate_points, strict=True)
        return float(np.interp(step / self.settings.steps, shares, factors))

    @property
    def whitening_steps(self) -> int:
        """Steps for which the biases of the whitening layer are trained."""
        return dict(self.settings.group_steps)["whitening"]

    def group_factor(self, group: str) -> float:
        """The factor of the gradients of a group of parameters."""
        return dict(self.settings.group_rates).get(group, 1.0)

    def workload(self) -> PresetWorkload:
        """The network with its initial weights."""
        settings, shape = self.settings, self.images.shape[1:]
        return _RungWorkload(
            settings.preset, settings.batch_size, settings.learning_rate, settings.momentum,
            settings, shape, rung=self,
        )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class _RungWorkload(PresetWorkload):
    rung: Rung | None = None

    def weights(self) -> list[Arrays]:
        """The initial parameters of each layer, in order."""
        assert self.rung is not None
        draw = np.random.default_rng(self.seed)
        images = self.rung.normalised(self.rung.images[:5000])
        return [
            {name: _start(draw, param, images) for name, param in layer.params(shape).items()}
            for layer, shape in self._inputs()
        ]


def load_rung() -> Rung:
    """Loads the rung of ``--rung``, or a small version of it with ``--quick``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rung", choices=RUNGS, default=RUNGS[0])
    given = parser.parse_known_args()[0]
    settings = preset(given.rung)
    if given.quick:
        settings = small(settings)
    train, _, test = load_splits(settings.dataset)
    images = train.images
    statistics = channel_statistics(images)
    return Rung(settings, images, train.labels, test.images, test.labels, *statistics)


def channel_statistics(
    images: UInt8[np.ndarray, "N H W C"],
) -> tuple[Float32[np.ndarray, " C"], Float32[np.ndarray, " C"]]:
    """The mean of each channel, and its standard deviation."""
    over: Any = {"axis": (0, 1, 2), "dtype": np.float64}
    mean, deviation = np.mean(images, **over), np.std(images, **over)
    return np.asarray(mean, np.float32), np.asarray(deviation, np.float32)


def small(settings: Settings) -> Settings:
    """Twelve steps of a rung as a smoke test."""
    return dataclasses.replace(quick_rung(settings), steps=12)


def _start(draw: np.random.Generator, param: Param, images: np.ndarray) -> np.ndarray:
    match param.init:
        case Constant(value):
            array = np.full(param.shape, value)
        case Normal(deviation):
            array = deviation * draw.standard_normal(param.shape)
        case Dirac(deviation):
            array = _dirac(deviation * draw.standard_normal(param.shape))
        case PatchWhitening(eps=eps):
            array = _whitening(images, param.shape, eps)
        case other:
            raise ValueError(f"no peer is initialised by {other}")
    return np.asarray(array, np.float32)


def _dirac(kernel: np.ndarray) -> np.ndarray:
    """The kernel with its first outputs replaced by the first inputs."""
    height, width, inputs, outputs = kernel.shape
    same = min(inputs, outputs)
    kernel[..., :same] = 0
    kernel[height // 2, width // 2, range(same), range(same)] = 1
    return kernel


def _whitening(images: np.ndarray, shape: tuple[int, ...], eps: float) -> np.ndarray:
    """Kernels that whiten patches, and their negatives."""
    windows = np.lib.stride_tricks.sliding_window_view(images, shape[:2], (1, 2))
    patches = np.moveaxis(windows, 3, -1).reshape(-1, np.prod(shape[:-1]))
    variances, directions = np.linalg.eigh(patches.T @ patches / len(patches))
    kernels = directions / np.sqrt(variances + eps)
    return np.concatenate([kernels, -kernels], axis=1).reshape(shape)
