"""A custom layer that breaks its contract is rejected by name before a run."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import pytest

from ffnn_jax.config import UserError
from ffnn_jax.network import Network, require_kept_contract
from ffnn_jax.nn import BatchNorm, Dense, Dropout, Layer, Param, Residual


class Custom(Layer):
    """A custom layer whose output and state are set by a function."""

    def returned(self, state, x):
        return x, state

    def state(self, shape):
        return {"seen": Param((3,))}

    def apply(self, params, state, x, *, training=False, key=None):
        return self.returned(state, x)


def custom(returned) -> Layer:
    return type("Custom", (Custom,), {"returned": lambda self, state, x: returned(state, x)})()


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda s, x: x, r"layer 2, Custom\(\): apply must return \(output, state\), got "),
        (lambda s, x: (x[:, :2], s), r"output_shape declares \(4,\), apply returns \(2,\)"),
        (lambda s, x: (x, None), r"state declares {'seen': 'float32\[3\]'}, apply returns None"),
        (lambda s, x: (x, {"sen": s["seen"]}), "apply returns {'sen': 'float32"),
        (lambda s, x: (x, {"seen": s["seen"][:2]}), r"apply returns {'seen': 'float32\[2\]'}"),
    ],
)
def test_outputs_and_state_must_match_the_declared_ones(returned, message):
    with pytest.raises(UserError, match=message):
        require_kept_contract(Network((Dense(4), custom(returned), Dense(2)), (5,)))


def test_a_nested_layer_is_named_by_both_numbers():
    inner = custom(lambda s, x: (x[:, :2], s))
    with pytest.raises(UserError, match=r"layer 1\.2, Custom\(\): output_shape"):
        require_kept_contract(Network((Residual((Dense(4), inner)), Dense(2)), (4,)))


@dataclasses.dataclass(frozen=True)
class Noise(Layer):
    """A layer that draws random numbers without declaring it."""

    needs_key: ClassVar[bool] = False

    def apply(self, params, state, x, *, training=False, key=None):
        draw = jax.vmap(lambda k: jax.random.normal(k, x.shape[1:]))
        return (x + draw(key) if training else x), state


def test_an_exception_of_a_layer_gets_a_note_that_names_the_layer():
    with pytest.raises(Exception) as caught:
        require_kept_contract(Network((Noise(), Dense(2)), (4,)))
    assert "layer 1, Noise(), for inputs of shape (4,)" in caught.value.__notes__


def test_correct_layers_are_accepted():
    correct = type("Correct", (Noise,), {"needs_key": True})()
    block = Residual((BatchNorm(), correct, Dropout(0.5)))
    require_kept_contract(Network((correct, block, custom(lambda s, x: (jnp.tanh(x), s))), (4,)))


@pytest.mark.parametrize(
    "fields", [{"shape": 3}, {"shape": (2.0,)}, {"trained": "no"}, {"group": 3}, {"init": 5}]
)
def test_a_param_with_invalid_fields_is_rejected(fields):
    with pytest.raises(UserError, match="shape must be a tuple of integers"):
        Param(**{"shape": (2,), **fields})
