"""The graph of a model: normalised pixels or views of them, the network, and probabilities."""

import numpy as np

from ffnn_jax.models._model import Model
from ffnn_jax.models._probabilities import WEIGHTS
from ffnn_jax.models.onnx._chain import add_chain
from ffnn_jax.models.onnx._graph import Graph
from ffnn_jax.network import Network, by_path
from ffnn_jax.nn import Shape

_FLOAT = 1


def graph_of(model: Model) -> Graph:
    """The graph from pixels, uint8 (N, H, W, C), to probabilities, float32 (N, K)."""
    graph, network = Graph(by_path(model.params) | by_path(model.state)), model.network
    x = graph.add("Cast", "pixels", to=_FLOAT)
    if model.normalisation is not None:
        scale, mean = map(np.asarray, model.normalisation)
        x = graph.add("Sub", graph.add("Mul", x, scale), mean)
    if model.views == "one":
        logits = add_network(graph, network, x)
    else:
        weights = WEIGHTS[model.views]
        views = _views(graph, x, network.input_shape, list(weights))
        z = add_network(graph, network, views)
        by_view = graph.add("Reshape", z, [2 * len(weights), -1, *network.output_shape])
        shares = np.repeat(list(weights.values()), 2).reshape(-1, 1, 1) / 2
        logits = graph.add("ReduceSum", graph.add("Mul", by_view, shares), [0], keepdims=0)
    graph.add("Softmax", logits, axis=-1)
    return graph


def add_network(graph: Graph, network: Network, x: str) -> str:
    """Adds a network's nodes; its inputs and outputs have their channels last."""
    before, after = len(network.input_shape), len(network.output_shape)
    first = graph.add("Transpose", x, perm=[0, before, *range(1, before)])
    z = add_chain(graph, network.layers, first, network.input_shape)
    return graph.add("Transpose", z, perm=[0, *range(2, after + 1), 1])


def _views(graph: Graph, x: str, shape: Shape, firsts: list[int]) -> str:
    """As ``logits_of_views``: shifted images and their mirror images, one batch after the other."""
    rows, columns = (np.pad(np.arange(n), 1, mode="reflect") for n in shape[:2])
    views = []
    for first in firsts:
        shifted = graph.add("Gather", x, rows[first : first + shape[0]], axis=1)
        across = columns[first : first + shape[1]]
        views += [graph.add("Gather", shifted, order, axis=2) for order in (across, across[::-1])]
    return graph.add("Concat", *views, axis=0)
