"""What the peers train on: starts, batches and rates as in this package's run."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.whole._rung import RUNGS, Rung, channel_statistics, small
from ffnn_jax.config import preset
from ffnn_jax.network import Network
from ffnn_jax.optim import piecewise_linear

DRAW = np.random.default_rng(0)
PIXELS, LABELS = DRAW.integers(0, 256, (96, 28, 28, 1), np.uint8), DRAW.integers(0, 10, 96)


def rung(**changes) -> Rung:
    settings = dataclasses.replace(small(preset(RUNGS[0])), **changes)
    return Rung(settings, PIXELS, LABELS, PIXELS[:7], LABELS[:7], *channel_statistics(PIXELS))


def test_fixed_starts_are_those_of_this_package():
    one = rung()
    network = Network(one.settings.layers, (28, 28, 1))
    ours, _ = network.init(jax.random.key(0), jnp.asarray(one.normalised(PIXELS)))
    theirs = one.workload().weights()
    first = ours["conv_1"]["w"].reshape(4, 8)
    np.testing.assert_allclose(first @ first.T, _gram(theirs[0]["w"]), rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(theirs[0]["w"][..., :4], -theirs[0]["w"][..., 4:])
    dirac = theirs[6]["w"]  # of as many inputs as outputs: nothing is drawn
    np.testing.assert_array_equal(dirac, ours["conv_7"]["w"])
    assert dirac.sum() == dirac.shape[-1]


def _gram(kernels: np.ndarray) -> np.ndarray:
    flat = kernels.reshape(4, 8)
    return flat @ flat.T


def test_an_epoch_shows_every_image_once_and_the_next_one_mirrored_where_it_was_not():
    batches = list(rung(steps=6).batches())
    assert [len(batch.rows) for batch in batches] == [32] * 6
    first, second = batches[:3], batches[3:]
    sides = []
    for epoch in (first, second):
        rows = np.concatenate([batch.rows for batch in epoch])
        assert sorted(rows) == list(range(96))
        sides.append(np.concatenate([batch.flipped for batch in epoch])[np.argsort(rows)])
    np.testing.assert_array_equal(sides[0] + sides[1], 1)
    assert 20 < sides[0].sum() < 76
    offsets = np.concatenate([batch.offsets for batch in batches], axis=1)
    assert set(offsets.ravel()) == set(range(5))


def test_an_epoch_is_cut_off_at_the_last_step():
    assert len(list(rung(steps=4).batches())) == 4
    assert len(list(rung(steps=3).batches())) == 3


def test_rates_are_those_of_the_schedule():
    one = rung(steps=12)
    expected = piecewise_linear(1.0, 12, one.settings.rate_points)
    for step in range(12):
        factor = float(jnp.asarray(expected(jnp.int32(step))))
        assert one.factor(step) == pytest.approx(factor, rel=1e-6)


@pytest.mark.parametrize("name", RUNGS)
def test_the_recipe_is_what_the_peers_train_by(name: str):
    """Neither of them averages weights, and both train kernels by Muon."""
    settings = preset(name)
    assert (settings.optimizer, settings.lookahead, settings.views) == ("muon", 0, "six")
