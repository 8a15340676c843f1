"""A network is asked what its layers are called, so that no experiment guesses a name."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments._layers import first_filters, layer_names, names_with_parameters
from ffnn_jax.network import Network
from ffnn_jax.nn import Conv, Dense, MaxPool, ReLU

# so many that an order by text is not that of the data
LAYERS = (MaxPool(2), Conv(3, 5), ReLU(), Conv(2, 3), ReLU(), *[Dense(4)] * 5, Dense(10))
NETWORK = Network(LAYERS, (8, 8, 1))


def test_every_layer_has_the_name_that_its_output_has():
    params = NETWORK.init(jax.random.key(0))
    outputs = NETWORK.outputs(params, jnp.zeros((1, 8, 8, 1)))
    assert layer_names(NETWORK) == list(outputs)


def test_layers_with_parameters_are_in_the_order_of_the_data():
    names = names_with_parameters(NETWORK)
    params = NETWORK.init(jax.random.key(0))
    assert set(names) == set(params)
    shapes = [params[name]["w"].shape for name in names]
    assert shapes[:3] == [(5, 5, 1, 3), (3, 3, 3, 2), (32, 4)]
    assert shapes[-2:] == [(4, 4), (4, 10)]


def test_the_first_filters_are_those_of_the_first_convolution():
    params = NETWORK.init(jax.random.key(0))
    filters = first_filters(NETWORK, params)
    assert filters.shape == (5, 5, 1, 3)
    assert any(np.array_equal(filters, params[name]["w"]) for name in params)
