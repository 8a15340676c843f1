"""Seeds in one program match the seeds one after another, up to the rounding of sums."""

import dataclasses
from typing import Any

import jax
import numpy as np
import pytest

from ffnn_jax._device import device_in_use
from ffnn_jax.config import PRESETS, Cutout, DivergedError, Flip, preset
from ffnn_jax.network import Network
from ffnn_jax.optim import Lookahead, momentum
from ffnn_jax.training import (
    HostImages,
    _loop,
    _trainer,
    initial_state,
    is_one_program,
    places,
    train,
)
from ffnn_jax.training._loader import InMemoryLoader, StreamingLoader
from ffnn_jax.training._trainer import make_trainer
from tests.tolerances import tolerance
from tests.training.conftest import NETWORK, make_seed_data

SETTINGS = dataclasses.replace(
    preset("quickstart"), steps=12, batch_size=8, seed=5, seeds=3, validation_interval=6
)

HERE = places([device_in_use()], 1)


def set_one_program(monkeypatch: pytest.MonkeyPatch, one_program: bool) -> None:
    for module in (_trainer, _loop):
        monkeypatch.setattr(module, "is_one_program", lambda network, settings: one_program)


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trains all seeds as one program, as on other platforms."""
    set_one_program(monkeypatch, True)


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
    set_one_program(monkeypatch, False)
    alone = run(images, augmentations=augmentations)
    set_one_program(monkeypatch, True)
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
    assert large == [f"cifar10-{name}" for name in ("minute", "coffee", "93", "94", "96")]


def test_streamed_seeds_are_never_one_program(images, together):
    pytest.importorskip("grain")
    seeds_data = [make_seed_data(images, seed) for seed in (5, 6)]
    settings = dataclasses.replace(SETTINGS, seeds=2)
    loader = StreamingLoader(HostImages((images,)), seeds_data, settings, HERE * 2)
    states = [initial_state(NETWORK, momentum(0.05), data.key) for data in seeds_data]
    trainer = make_trainer(NETWORK, momentum(0.05), settings, loader, seeds_data, states, HERE * 2)
    assert isinstance(trainer, _trainer._ThreadedTrainer)


@pytest.mark.parametrize(("every", "expected"), [(5, Lookahead(5, 12)), (0, None)])
def test_lookahead_is_over_all_steps_of_the_settings(images, monkeypatch, every, expected):
    found = []

    def stop(*arguments: Any) -> None:
        found.append(arguments[-2])
        raise InterruptedError

    monkeypatch.setattr(_trainer, "make_train_chunk", stop)
    settings = dataclasses.replace(SETTINGS, lookahead=every)
    loader, seed_data = InMemoryLoader(HostImages((images,)), HERE * 2), make_seed_data(images, 5)
    with pytest.raises(InterruptedError):
        make_trainer(NETWORK, momentum(0.05), settings, loader, [seed_data], [], HERE)
    assert found == [expected]


@pytest.mark.parametrize("one_program", [False, True])
def test_copies_outlive_the_steps_after_them_and_steps_can_be_repeated_from_them(
    images, monkeypatch: pytest.MonkeyPatch, one_program: bool
):
    set_one_program(monkeypatch, one_program)
    settings = dataclasses.replace(SETTINGS, seeds=2, lookahead=2)
    seeds_data = jax.device_put([make_seed_data(images, seed) for seed in (5, 6)])
    states = [
        initial_state(NETWORK, momentum(0.05), data.key, looks_ahead=True) for data in seeds_data
    ]
    loader = InMemoryLoader(HostImages((images,)), HERE * 2)
    trainer = make_trainer(NETWORK, momentum(0.05), settings, loader, seeds_data, states, HERE * 2)
    before = trainer.copies()
    assert len(before) == 2
    first = jax.device_get(trainer.run_steps(0, 3))
    after = trainer.states()
    for _ in range(2):
        trainer.restore(before)
        jax.tree.map(np.testing.assert_array_equal, trainer.run_steps(0, 3), first)
        jax.tree.map(np.testing.assert_array_equal, trainer.states(), after)
    assert [int(state.step) for state in before] == [0, 0]
