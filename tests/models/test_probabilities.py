"""Prediction in blocks of one size, whatever the number of images."""

import jax
import numpy as np
import pytest

from ffnn_jax.layers.fast import forms
from ffnn_jax.models import _probabilities, predict_probabilities
from ffnn_jax.network import Network, compute_normalisation
from ffnn_jax.nn import Conv, Dense, MaxPool, ReLU

NETWORK = Network((Conv(6, 3), ReLU(), MaxPool(2), Dense(4)), (8, 8, 1))
PIXELS = np.random.default_rng(0).integers(0, 256, (48, 8, 8, 1), np.uint8)


@pytest.mark.parametrize("count", [0, 1, 32, 48])
def test_prediction_takes_any_number_of_images(count):
    model = NETWORK, *NETWORK.init(jax.random.key(0)), compute_normalisation([PIXELS], 1 / 255)
    together = predict_probabilities(*model, PIXELS)
    some = predict_probabilities(*model, PIXELS[:count])
    np.testing.assert_array_equal(some, together[:count])
    np.testing.assert_allclose(together.sum(axis=1), 1, rtol=1e-6)


def test_prediction_takes_the_forms_of_its_callers_context(monkeypatch):
    model = NETWORK, *NETWORK.init(jax.random.key(0)), compute_normalisation([PIXELS], 1 / 255)
    usual, seen = predict_probabilities(*model, PIXELS), []
    logits_of = _probabilities.logits_of_views

    def spy(*arguments):
        seen.append(forms.value)
        return logits_of(*arguments)

    monkeypatch.setattr(_probabilities, "logits_of_views", spy)
    table = (("forward 9 1-16", "rows"),)
    with forms(table):
        by_rows = predict_probabilities(*model, PIXELS)
    assert set(seen) == {table}
    np.testing.assert_allclose(by_rows, usual, rtol=1e-5)
