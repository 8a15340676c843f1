"""What a network's layers are called in its parameters and outputs: the network itself is asked."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ffnn_jax.network import Network
from ffnn_jax.nn import Conv


def layer_names(network: Network) -> list[str]:
    """The name of each layer, in the order in which the data flows; nothing is computed."""
    names: list[str] = []

    def traced(params: Any, x: jax.Array) -> None:
        names.extend(network.outputs(params, x))

    image = jax.ShapeDtypeStruct((1, *network.input_shape), jnp.float32)
    jax.eval_shape(traced, jax.eval_shape(network.init, jax.random.key(0)), image)
    return names


def names_with_parameters(network: Network) -> list[str]:
    """The names of the layers that have parameters, in the order in which the data flows."""
    params = jax.eval_shape(network.init, jax.random.key(0))
    return [name for name in layer_names(network) if name in params]


def first_filters(network: Network, params: Any) -> np.ndarray:
    """The kernel of the first convolution, (KH, KW, C_in, C_out)."""
    named = zip(layer_names(network), network.layers, strict=True)
    first = next(name for name, layer in named if isinstance(layer, Conv))
    return np.asarray(params[first]["w"])
