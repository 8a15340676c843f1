"""The data, network and settings shared by all whole runs, taken from this package's run."""

import argparse
import dataclasses
import json

import numpy as np
from jaxtyping import Float32, Int32

from experiments._quick import quick_settings
from experiments.peers._workload import Workload
from ffnn_jax.config import Settings, preset
from ffnn_jax.data import Dataset, load_splits
from ffnn_jax.nn import Layer

PRESET = "cifar10-0"


@dataclasses.dataclass(frozen=True)
class PresetWorkload(Workload):
    """A preset's network and initial weights, in the form that the peers use."""

    settings: Settings = dataclasses.field(default_factory=lambda: preset(PRESET))
    image_shape: tuple[int, int, int] = (32, 32, 3)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The network's layers."""
        return self.settings.layers

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of an image."""
        return self.image_shape

    @property
    def seed(self) -> int:
        """Determines the initial weights."""
        return self.settings.seed


@dataclasses.dataclass(frozen=True)
class Part:
    """Images, minus the mean training image, and their labels."""

    images: Float32[np.ndarray, "N H W C"]
    labels: Int32[np.ndarray, " N"]


@dataclasses.dataclass(frozen=True)
class Task:
    """The settings, the network with its initial weights, and the images."""

    settings: Settings
    workload: PresetWorkload
    train: Part
    test: Part


def load_task() -> Task:
    """Loads the task: the report's model 0, or a small version of it with ``--quick``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    settings = preset(PRESET)
    if parser.parse_args().quick:
        settings = quick_settings(settings)
    splits = load_splits(settings.dataset, train_images=settings.train_images)
    order = np.random.default_rng(settings.seed).permutation(len(splits.train))
    rows = np.sort(order[min(settings.validation.images, len(order) // 5) :])
    mean = splits.train.images[rows].mean(axis=(0, 1, 2), dtype=np.float64)
    workload = PresetWorkload(
        PRESET,
        settings.batch_size,
        settings.learning_rate,
        settings.momentum,
        settings,
        splits.train.image_shape,
    )

    def part(data: Dataset, rows: np.ndarray | slice) -> Part:
        images = settings.pixel_scale * (data.images[rows] - mean)
        return Part(images.astype(np.float32), np.array(data.labels[rows]))

    return Task(settings, workload, part(splits.train, rows), part(splits.test, slice(None)))


def print_accuracy(correct: float) -> None:
    """Prints the share of correctly classified test images, as the last line."""
    print(json.dumps({"test_accuracy": float(correct)}))
