import jax
import numpy as np
import pytest

from ffnn_jax.network import Network, compute_normalisation
from ffnn_jax.nn import Conv, Dense, MaxPool, ReLU
from ffnn_jax.training import Images, SeedData

NETWORK = Network((Conv(6, 3), ReLU(), MaxPool(2), Dense(4)), (8, 8, 1))


def make_seed_data(images, seed=0, train=None):
    indices = np.arange(len(images.labels), dtype=np.int32)
    train = indices[:40] if train is None else train
    normalisation = compute_normalisation([images.pixels[train]], 1 / 255)
    return SeedData(jax.random.key(seed), train, indices[40:], normalisation)


@pytest.fixture(autouse=True)
def _compiled_quickly(quick_compilation: None) -> None:
    """Many programs are compiled here, and each runs only a few times."""


@pytest.fixture(scope="session")
def images():
    """48 noise images with random labels: they can only be memorised."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (48, 8, 8, 1), np.uint8)
    return Images(pixels, generator.integers(0, 4, 48, np.int32))
