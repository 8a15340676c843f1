"""A run ends at the first non-finite number, and names the step, array and operation."""

import dataclasses
import re
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import pytest

from ffnn_jax.config import DivergedError, Flip, preset
from ffnn_jax.network import Network
from ffnn_jax.nn import BatchNorm, Constant, Conv, Dense, Dropout, Layer, MaxPool, Param, ReLU
from ffnn_jax.optim import momentum
from ffnn_jax.training import Callbacks, HostImages, train
from tests.training.conftest import make_seed_data

SETTINGS = dataclasses.replace(preset("quickstart"), steps=50, batch_size=8, seed=5)
LAYERS = (Conv(2, 3), ReLU(), MaxPool(2), Dense(4))


@jax.custom_vjp
def _faulty(x):
    return x


_faulty.defvjp(lambda x: (x, x), lambda x, g: (g / jnp.zeros_like(g),))


@dataclasses.dataclass(frozen=True)
class Root(Layer):
    """Takes square roots, of negative numbers too."""

    def __call__(self, params, x):
        return jnp.sqrt(x)


@dataclasses.dataclass(frozen=True)
class FaultyRule(Layer):
    """A correct forward pass with a backward pass that divides by zero."""

    def __call__(self, params, x):
        return _faulty(x)


class StepRecorder(Callbacks):
    """Checks and records every finite step."""

    def __init__(self):
        self.steps = []

    def next_stop(self, step):
        return step + 1

    def on_stop(self, step, steps, snapshot):
        assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(snapshot().states))
        self.steps.append(step)


def message_of(images, layers=LAYERS, rate=0.05, callbacks=None, debug_nans=False, **changes):
    """The message of a run that diverges."""
    settings = dataclasses.replace(SETTINGS, **changes)
    seeds_data = [make_seed_data(images, settings.seed + i) for i in range(settings.seeds)]
    network = Network(layers, images.pixels.shape[1:])
    with pytest.raises(DivergedError) as caught:
        train(
            network, momentum(rate), settings, HostImages((images,)), seeds_data,
            callbacks=callbacks, debug_nans=debug_nans,
        )  # fmt: skip
    return str(caught.value)


@pytest.mark.parametrize(
    "rate", [1e20, *(pytest.param(rate, marks=pytest.mark.slow) for rate in (1e12, 1e30))]
)
def test_the_step_of_divergence_does_not_depend_on_the_stops(images, rate):
    recorder = StepRecorder()
    often, rarely = message_of(images, rate=rate, callbacks=recorder), message_of(images, rate=rate)
    assert often == rarely
    assert rarely.startswith(f"seed 5, step {recorder.steps[-1] + 1}: ")
    assert rarely.endswith(" numbers not finite; a lower learning rate may help")


def test_jax_debug_nans_changes_no_message(images):
    expected = message_of(images, rate=1e30)
    names = ("jax_debug_nans", "jax_debug_infs")
    try:
        for name in names:
            jax.config.update(name, True)  # for all threads, unlike a context manager
        assert message_of(images, rate=1e30) == expected
    finally:
        for name in names:
            jax.config.update(name, False)


def test_the_failing_seed_is_named(images):
    alone = [message_of(images, rate=1e30, seed=seed) for seed in (5, 6)]
    first = min(alone, key=lambda message: int(re.findall(r"step (\d+)", message)[0]))
    assert message_of(images, rate=1e30, seeds=2) == first


def test_a_failing_custom_forward_pass_is_named_by_its_layer(images):
    layers = (*LAYERS[:1], Root(), *LAYERS[2:])
    message = message_of(images, layers, augmentations=(Flip(),))
    assert re.match(r"seed 5, step 1: the output of root_2 has [\d,]+ of [\d,]+ numbers", message)


def test_a_failing_custom_rule_is_named_by_the_first_gradient_it_corrupts(images):
    """The loss and everything before it are finite; so are the gradients of later layers."""
    message = message_of(images, (*LAYERS[:3], FaultyRule(), *LAYERS[3:]))
    assert re.match(r"seed 5, step 1: the gradient of conv_1/\w has ", message)


def test_the_operation_and_its_line_are_named_on_request(images):
    layers = (*LAYERS[:1], Root(), *LAYERS[2:])
    message = message_of(images, layers, debug_nans=True)
    assert "; invalid value (nan) encountered in sqrt (" in message
    path, number = re.findall(r"\((\S+):(\d+)\)$", message)[0]
    assert "jnp.sqrt(x)" in Path(path).read_text().splitlines()[int(number) - 1]


def test_a_failing_step_of_a_stream_is_found(images):
    pytest.importorskip("grain")
    settings = dataclasses.replace(SETTINGS, steps=50)
    seed_data = make_seed_data(images, 5)
    network = Network(LAYERS, images.pixels.shape[1:])
    with pytest.raises(DivergedError) as caught:
        train(
            network, momentum(1e30), settings, HostImages((images,)), [seed_data], streaming=True
        )  # fmt: skip
    assert str(caught.value) == message_of(images, rate=1e30)


def test_bfloat16_is_checked_in_bfloat16(images):
    assert message_of(images, rate=1e12, precision="bf16").startswith("seed 5, step ")


@dataclasses.dataclass(frozen=True)
class Overflowing(Layer):
    """A layer whose state overflows while its outputs stay finite."""

    def state(self, shape):
        return {"power": Param((), Constant(1e30))}

    def apply(self, params, state, x, *, training=False, key=None):
        return x, {"power": state["power"] * 1e6}


@dataclasses.dataclass(frozen=True)
class BreaksOnFive(Layer):
    """A layer that fails only on a batch of five images."""

    mixes_batch: ClassVar[bool] = True

    def __call__(self, params, x):
        return x / (len(x) - 5)


def test_a_partial_batch_is_checked_at_its_own_size(images):
    """40 images in batches of 7: the sixth batch has five."""
    layers = (BreaksOnFive(), Dense(4))
    message = message_of(images, layers, batch_size=7, sampling="epochs-partial")
    assert re.match(r"seed 5, step 6: the output of breaksonfive_1 has ", message)


def test_a_state_that_is_not_finite_is_named(images):
    message = message_of(images, (*LAYERS[:3], Overflowing(), *LAYERS[3:]))
    assert message.startswith(
        "seed 5, step 2: state/overflowing_4/power after the step has 1 of 1 "
    )


def test_a_network_with_running_statistics_and_masks_is_checked(images):
    """The repeated step has the same masks and batch statistics."""
    layers = (Dense(8), BatchNorm(), Dropout(0.5), ReLU(), Dense(4))
    message = message_of(images, layers, rate=1e30)
    assert re.match(r"seed 5, step \d+: .* numbers not finite", message)
