"""Seeds in one program match the seeds one after another, up to the rounding of sums."""

import dataclasses
from typing import Any

import jax
import numpy as np
import pytest

from ffnn_jax.config import Cutout, DivergedError, Flip, preset
from ffnn_jax.optim import momentum
from ffnn_jax.training import HostImages, _trainer, train
from ffnn_jax.training._loader import InMemoryLoader, StreamingLoader
from tests.tolerances import tolerance
from tests.training.conftest import NETWORK, make_seed_data

SETTINGS = dataclasses.replace(
    preset("quickstart"), steps=12, batch_size=8, seed=5, seeds=3, validation_interval=6
)


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trains all seeds as one program, as on other platforms."""
    monkeypatch.setattr(_trainer, "_is_one_program", lambda loader, seeds_data: True)


def run(images: Any, rate: float = 0.05, **changes: Any):
    settings = dataclasses.replace(SETTINGS, **changes)
    seeds_data = [make_seed_data(images, settings.seed + k) for k in range(settings.seeds)]
    return train(NETWORK, momentum(rate), settings, HostImages((images,)), seeds_data)


@pytest.mark.parametrize(
    "augmentations", [pytest.param((), marks=pytest.mark.slow), (Flip(), Cutout(3))]
)
def test_one_program_gives_each_seed_the_result_that_it_has_alone(
    images, monkeypatch: pytest.MonkeyPatch, augmentations: tuple
):
    monkeypatch.setattr(_trainer, "_is_one_program", lambda loader, seeds_data: False)
    alone = run(images, augmentations=augmentations)
    monkeypatch.setattr(_trainer, "_is_one_program", lambda loader, seeds_data: True)
    together = run(images, augmentations=augmentations)
    assert [(r.seed, r.step) for r in together.history] == [(r.seed, r.step) for r in alone.history]
    allowed = tolerance("float32", 1000)
    for ours, theirs in zip(together.params, alone.params, strict=True):
        for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
            np.testing.assert_allclose(a, b, rtol=allowed, atol=allowed)
    for ours, theirs in zip(together.history, alone.history, strict=True):
        assert ours.loss == pytest.approx(theirs.loss, rel=allowed)
        assert ours.validation_accuracy == theirs.validation_accuracy


def test_seeds_in_one_program_differ(images, together):
    first, second, third = (jax.tree.leaves(one)[1] for one in run(images).params)
    assert not np.allclose(first, second)
    assert not np.allclose(second, third)


def test_one_program_without_validation_images_trains(images, together):
    seeds_data = [make_seed_data(images, seed) for seed in (5, 6)]
    seeds_data = [data._replace(validation=data.validation[:0]) for data in seeds_data]
    settings = dataclasses.replace(SETTINGS, seeds=2)
    result = train(NETWORK, momentum(0.05), settings, HostImages((images,)), seeds_data)
    assert [record.validation_accuracy for record in result.history] == [None] * 4


def test_a_seed_that_diverges_is_named_in_one_program_too(images, together):
    with pytest.raises(DivergedError, match=r"^seed \d, step \d+: the .* numbers not finite"):
        run(images, rate=1e30)


class _DataOn:
    """A seed's data with arrays on the given platform."""

    def __init__(self, platform: str) -> None:
        device = type("Device", (), {"platform": platform})()
        self.train = type("Indices", (), {"devices": lambda self: {device}})()


@pytest.mark.parametrize(
    ("platform", "seeds", "loader", "expected"),
    [
        ("cpu", 3, InMemoryLoader, False),
        ("gpu", 3, InMemoryLoader, True),
        ("tpu", 2, InMemoryLoader, True),
        ("gpu", 1, InMemoryLoader, False),
        ("gpu", 3, StreamingLoader, False),
    ],
)
def test_one_program_is_for_several_seeds_on_a_device_that_holds_all_images(
    platform: str, seeds: int, loader: Any, expected: bool
):
    seeds_data: Any = [_DataOn(platform)] * seeds
    assert _trainer._is_one_program(loader.__new__(loader), seeds_data) == expected
