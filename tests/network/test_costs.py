"""What a layer's backward keeps, counted by hand; and times, of which only the form is tested."""

import dataclasses
from typing import Any

import jax
import pytest

from ffnn_jax.network import Cost, CostMeter, Network
from ffnn_jax.nn import (
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Layer,
    MaxPool,
    ReLU,
    Residual,
    Scale,
    Sigmoid,
)

SHAPE = (6, 5, 3)
CHAIN = (Conv(4, 3), ReLU(), MaxPool(2), Dropout(), Dense(7), Sigmoid())


def costs(*layers: Layer, batch: int = 4, **meter: Any) -> list[Cost]:
    """The costs of the layers that are no block of others."""
    summary = Network(layers, SHAPE).summary(CostMeter(batch, **meter))
    return [row.cost for row in summary.rows if row.cost is not None]


def kept(*layers: Layer, **meter: Any) -> list[int]:
    return [cost.kept_bytes for cost in costs(*layers, **meter)]


@jax.custom_vjp
def hoard(x):
    return hoard_forward(x)[0]


def hoard_forward(x):
    return x, (x[:, 0], 2 * x, x.astype("int8"))


def hoard_backward(residuals, dz):
    return (dz + residuals[0][:, None] + residuals[1] + residuals[2],)


hoard.defvjp(hoard_forward, hoard_backward)


@dataclasses.dataclass(frozen=True)
class Hoard(Layer):
    """A layer whose backward keeps a slice, another array, and one of bytes."""

    def __call__(self, params, x):
        return hoard(x)


def test_what_each_layer_keeps_is_counted_by_hand():
    conv, relu, pool = 6 * 5 * 3 * 4, 6 * 5 * 4, 3 * 2 * 4  # input; a bit; which of the window
    dropout, dense, sigmoid = 3 * 2 * 4, 3 * 2 * 4 * 4, 7 * 4  # a mask; input; output
    assert kept(*CHAIN) == [conv, relu, pool, dropout, dense, sigmoid]


def test_the_batch_does_not_change_what_an_image_keeps_and_bfloat16_halves_it():
    assert kept(*CHAIN, batch=32) == kept(*CHAIN)
    conv, *_, dense, sigmoid = kept(*CHAIN)
    assert kept(*CHAIN, dtype="bfloat16") == [
        conv // 2,
        *kept(*CHAIN)[1:4],
        dense // 2,
        sigmoid // 2,
    ]


def test_statistics_of_a_batch_are_shared_by_its_images():
    (norm,) = kept(BatchNorm(), batch=8)
    assert norm == 6 * 5 * 3 * 4 + 2 * 3 * 4 // 8
    ghosts = kept(BatchNorm(ghost_size=4), batch=8)[0]
    assert ghosts == 6 * 5 * 3 * 4 + 2 * 2 * 3 * 4 // 8


def test_a_rule_of_ones_own_is_counted_by_its_residuals():
    values = 6 * 5 * 3
    assert kept(Conv(3, 1), Hoard())[1] == 4 * 5 * 3 + 4 * values + values


def test_nothing_is_kept_before_the_first_trained_layer():
    frozen = Scale(trained=False), ReLU()
    assert kept(*frozen, Dense(2), ReLU()) == [0, 0, 6 * 5 * 3 * 4, 2]
    assert costs(*frozen, timed=True)[1].backward_ms == 0


def test_nested_layers_have_the_costs_and_their_block_none():
    block = Residual((Conv(3, 3), ReLU()), (Conv(3, 1),))
    values = 6 * 5 * 3
    assert kept(block, Dense(2)) == [4 * values, values, 4 * values, 4 * values]


def test_times_are_measured_only_if_asked(quick_compilation: None):
    assert costs(*CHAIN)[0] == Cost(6 * 5 * 3 * 4, None, None)
    for cost in costs(*CHAIN, timed=True):
        assert min(cost.forward_ms or 0, cost.backward_ms or 0) > 0


@pytest.mark.parametrize(("timed", "headings"), [(False, 1), (True, 3)])
def test_the_table_shows_what_was_measured_and_its_total(timed: bool, headings: int):
    layers = Dense(3), Dense(2)
    network = Network(layers, SHAPE)
    plain, measured = network.summary(), network.summary(CostMeter(4, timed=timed))
    assert measured.to_json() == plain.to_json()
    assert str(measured).count("ms ") == headings - 1
    total = str(measured).splitlines()[-1].split()
    assert total[-headings] == f"{6 * 5 * 3 * 4 + 3 * 4}"
