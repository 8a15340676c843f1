"""A run ends at the first number that is not finite, and says which step, array and operation."""

import dataclasses
import re
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import pytest

from ffnn_jax.config import DivergedError, preset
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
    """Takes roots, of negative numbers too."""

    def __call__(self, params, x):
        return jnp.sqrt(x)


@dataclasses.dataclass(frozen=True)
class FaultyRule(Layer):
    """A right forward with a backward that divides by zero."""

    def __call__(self, params, x):
        return _faulty(x)


class Remembers(Callbacks):
    """Looks at the state after every step."""

    def __init__(self):
        self.steps = []

    def next_stop(self, step):
        return step + 1

    def on_stop(self, step, steps, snapshot):
        assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(snapshot().states))
        self.steps.append(step)


def told(images, layers=LAYERS, rate=0.05, callbacks=None, debug_nans=False, **changes):
    """What a run says that diverges."""
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
def test_a_rate_that_is_too_high_ends_at_the_same_step_however_often_it_is_looked_at(images, rate):
    looked_at = Remembers()
    often, seldom = told(images, rate=rate, callbacks=looked_at), told(images, rate=rate)
    assert often == seldom
    assert seldom.startswith(f"seed 5, step {looked_at.steps[-1] + 1}: ")
    assert seldom.endswith(" numbers not finite; a lower learning rate may help")


def test_the_seed_is_the_one_that_fails(images):
    alone = [told(images, rate=1e30, seed=seed) for seed in (5, 6)]
    first = min(alone, key=lambda line: int(re.findall(r"step (\d+)", line)[0]))
    assert told(images, rate=1e30, seeds=2) == first


def test_a_forward_of_ones_own_is_named_by_its_layer(images):
    layers = (*LAYERS[:1], Root(), *LAYERS[2:])
    line = told(images, layers)
    assert re.match(r"seed 5, step 1: the output of root_2 has [\d,]+ of [\d,]+ numbers", line)


def test_a_rule_of_ones_own_is_named_by_the_first_gradient_it_spoils(images):
    """The loss and all that comes before it are finite; so are the gradients behind the rule."""
    line = told(images, (*LAYERS[:3], FaultyRule(), *LAYERS[3:]))
    assert re.match(r"seed 5, step 1: the gradient of conv_1/\w has ", line)


def test_the_operation_and_its_line_are_named_on_demand(images):
    layers = (*LAYERS[:1], Root(), *LAYERS[2:])
    line = told(images, layers, debug_nans=True)
    assert "; invalid value (nan) encountered in sqrt (" in line
    place, number = re.findall(r"\((\S+):(\d+)\)$", line)[0]
    assert "jnp.sqrt(x)" in Path(place).read_text().splitlines()[int(number) - 1]


def test_the_steps_of_a_stream_are_found_as_well(images):
    pytest.importorskip("grain")
    settings = dataclasses.replace(SETTINGS, steps=50)
    seed_data = make_seed_data(images, 5)
    network = Network(LAYERS, images.pixels.shape[1:])
    with pytest.raises(DivergedError) as caught:
        train(
            network, momentum(1e30), settings, HostImages((images,)), [seed_data], streaming=True
        )  # fmt: skip
    assert str(caught.value) == told(images, rate=1e30)


def test_bfloat16_is_looked_at_in_bfloat16(images):
    assert told(images, rate=1e12, precision="bf16").startswith("seed 5, step ")


@dataclasses.dataclass(frozen=True)
class Remembering(Layer):
    """A layer whose state overflows, while all that it gives stays finite."""

    def state(self, shape):
        return {"power": Param((), Constant(1e30))}

    def apply(self, params, state, x, *, training=False, key=None):
        return x, {"power": state["power"] * 1e6}


@dataclasses.dataclass(frozen=True)
class BreaksOnFive(Layer):
    """A layer that fails on a batch of five images alone."""

    mixes_batch: ClassVar[bool] = True

    def __call__(self, params, x):
        return x / (len(x) - 5)


def test_a_partial_batch_is_looked_at_as_the_batch_that_it_is(images):
    """40 images in batches of 7: the sixth has five."""
    layers = (BreaksOnFive(), Dense(4))
    line = told(images, layers, batch_size=7, sampling="epochs-partial")
    assert re.match(r"seed 5, step 6: the output of breaksonfive_1 has ", line)


def test_a_state_that_is_not_finite_is_named(images):
    line = told(images, (*LAYERS[:3], Remembering(), *LAYERS[3:]))
    assert line.startswith("seed 5, step 2: state/remembering_4/power after the step has 1 of 1 ")


def test_a_network_with_running_statistics_and_masks_is_looked_through(images):
    """What is gone through again has the masks of the step, and its batch's statistics."""
    layers = (Dense(8), BatchNorm(), Dropout(0.5), ReLU(), Dense(4))
    line = told(images, layers, rate=1e30)
    assert re.match(r"seed 5, step \d+: .* numbers not finite", line)
