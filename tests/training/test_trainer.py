"""Seeds in one program match the seeds one after another, up to the rounding of sums."""

import dataclasses
from typing import Any

import jax
import numpy as np
import pytest

from ffnn_jax.config import PRESETS, Cutout, DivergedError, Flip, preset
from ffnn_jax.network import Network
from ffnn_jax.optim import momentum
from ffnn_jax.training import HostImages, _trainer, initial_state, is_one_program, train
from ffnn_jax.training._loader import StreamingLoader
from ffnn_jax.training._trainer import make_trainer
from tests.tolerances import tolerance
from tests.training.conftest import NETWORK, make_seed_data

SETTINGS = dataclasses.replace(
    preset("quickstart"), steps=12, batch_size=8, seed=5, seeds=3, validation_interval=6
)


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trains all seeds as one program, as on other platforms."""
    monkeypatch.setattr(_trainer, "is_one_program", lambda network, settings: True)


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
    monkeypatch.setattr(_trainer, "is_one_program", lambda network, settings: False)
    alone = run(images, augmentations=augmentations)
    monkeypatch.setattr(_trainer, "is_one_program", lambda network, settings: True)
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


@pytest.mark.parametrize(
    ("platform", "seeds", "batch_size", "expected"),
    [
        ("cpu", 3, 8, False),
        ("gpu", 3, 8, True),
        ("tpu", 2, 8, True),
        ("gpu", 1, 8, False),
        ("gpu", 3, 10**6, False),
    ],
)
def test_one_program_is_for_several_seeds_with_small_steps_on_another_device_than_a_cpu(
    monkeypatch, platform: str, seeds: int, batch_size: int, expected: bool
):
    monkeypatch.setattr(jax, "default_backend", lambda: platform)
    settings = dataclasses.replace(SETTINGS, seeds=seeds, batch_size=batch_size)
    assert is_one_program(NETWORK, settings) == expected


def test_the_presets_that_are_one_program(monkeypatch):
    """The report's networks are; a step of the ladder's is large enough to fill a GPU."""
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    large = [
        name
        for name, one in PRESETS.items()
        if not is_one_program(
            Network(one.layers, (28, 28, 1) if "mnist" in one.dataset else (32, 32, 3)),
            dataclasses.replace(one, seeds=3),
        )
    ]
    assert large == [f"cifar10-{name}" for name in ("minute", "coffee", "93", "94")]


def test_streamed_seeds_are_never_one_program(images, together):
    pytest.importorskip("grain")
    seeds_data = [make_seed_data(images, seed) for seed in (5, 6)]
    settings = dataclasses.replace(SETTINGS, seeds=2)
    loader = StreamingLoader(HostImages((images,)), seeds_data, settings)
    states = [initial_state(NETWORK, momentum(0.05), data.key) for data in seeds_data]
    trainer = make_trainer(NETWORK, momentum(0.05), settings, loader, seeds_data, states)
    assert isinstance(trainer, _trainer._ThreadedTrainer)
