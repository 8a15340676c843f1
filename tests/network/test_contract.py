"""A layer of one's own that does not do what it says is named before a run begins."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import pytest

from ffnn_jax.config import UserError
from ffnn_jax.network import Network, require_kept_contract
from ffnn_jax.nn import BatchNorm, Dense, Dropout, Layer, Param, Residual


class Own(Layer):
    """A layer whose output or state is changed by a function."""

    def changed(self, state, x):
        return x, state

    def state(self, shape):
        return {"seen": Param((3,))}

    def apply(self, params, state, x, *, training=False, key=None):
        return self.changed(state, x)


def own(changed) -> Layer:
    return type("Own", (Own,), {"changed": lambda self, state, x: changed(state, x)})()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda s, x: x, r"layer 2, Own\(\): apply must give \(output, state\), got "),
        (lambda s, x: (x[:, :2], s), r"output_shape says \(4,\), apply gives \(2,\)"),
        (lambda s, x: (x, None), r"state says {'seen': 'float32\[3\]'}, apply gives None"),
        (lambda s, x: (x, {"sen": s["seen"]}), "apply gives {'sen': 'float32"),
        (lambda s, x: (x, {"seen": s["seen"][:2]}), r"apply gives {'seen': 'float32\[2\]'}"),
    ],
)
def test_what_a_layer_gives_is_compared_with_what_it_says(changed, message):
    with pytest.raises(UserError, match=message):
        require_kept_contract(Network((Dense(4), own(changed), Dense(2)), (5,)))


def test_a_layer_inside_others_is_named_by_both_numbers():
    inner = own(lambda s, x: (x[:, :2], s))
    with pytest.raises(UserError, match=r"layer 1\.2, Own\(\): output_shape"):
        require_kept_contract(Network((Residual((Dense(4), inner)), Dense(2)), (4,)))


@dataclasses.dataclass(frozen=True)
class Noise(Layer):
    """A layer that draws, and does not say so."""

    needs_key: ClassVar[bool] = False

    def apply(self, params, state, x, *, training=False, key=None):
        draw = jax.vmap(lambda k: jax.random.normal(k, x.shape[1:]))
        return (x + draw(key) if training else x), state


def test_what_a_layer_raises_has_a_note_that_names_it():
    with pytest.raises(Exception) as caught:
        require_kept_contract(Network((Noise(), Dense(2)), (4,)))
    assert "layer 1, Noise(), for inputs (4,)" in caught.value.__notes__


def test_right_layers_are_taken():
    right = type("Right", (Noise,), {"needs_key": True})()
    block = Residual((BatchNorm(), right, Dropout(0.5)))
    require_kept_contract(Network((right, block, own(lambda s, x: (jnp.tanh(x), s))), (4,)))


@pytest.mark.parametrize(
    "fields", [{"shape": 3}, {"shape": (2.0,)}, {"trained": "no"}, {"group": 3}, {"init": 5}]
)
def test_a_param_of_other_fields_is_rejected(fields):
    with pytest.raises(UserError, match="shape must be a tuple of integers"):
        Param(**{"shape": (2,), **fields})
