"""The complete chapter "training", by numbers worked by hand and by what the package computes."""

import jax
import numpy as np
import optax
import pytest

from ffnn_jax.course._training import count_parameters, mean_recall, momentum_update
from ffnn_jax.network import Network
from ffnn_jax.nn import Conv, Dense
from ffnn_jax.optim import momentum
from ffnn_jax.reporting import accuracy


def test_the_momentum_update_is_the_package_s_optimiser():
    """(24) and (25), over steps whose gradients differ."""
    rule = momentum(0.1, 0.9, 0.01)
    w = ours = np.array([1.0, -2.0], "float32")
    state, velocity = rule.init(w), np.zeros_like(w)
    for gradient in np.random.default_rng(0).normal(size=(5, 2)).astype("float32"):
        updates, state = rule.update(gradient, state, w)
        w = optax.apply_updates(w, updates)
        velocity, ours = momentum_update(velocity, ours, gradient, 0.1, 0.9, 0.01)
    np.testing.assert_allclose(ours, np.asarray(w), rtol=1e-5)


def test_on_as_many_images_of_each_class_the_mean_recall_is_the_accuracy():
    confusion = np.array([[7, 2, 1], [0, 10, 0], [4, 5, 1]])
    assert mean_recall(confusion) == pytest.approx(accuracy(confusion)) == 0.6


def test_parameters_are_counted_as_the_network_counts_them():
    network = Network((Conv(3, 5), Dense(10)), (6, 6, 2))
    params, _ = network.init(jax.random.key(0))
    assert count_parameters(params) == network.summary().parameters
