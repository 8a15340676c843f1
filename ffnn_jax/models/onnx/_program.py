"""Chains of layers, and the graph of a model: pixels or views of them, network, probabilities."""

import dataclasses
import functools

import numpy as np

from ffnn_jax import nn
from ffnn_jax.config import UserError
from ffnn_jax.models._model import Model
from ffnn_jax.models._probabilities import WEIGHTS
from ffnn_jax.models.onnx._by_value import BY_VALUE
from ffnn_jax.models.onnx._by_window import BY_WINDOW
from ffnn_jax.models.onnx._graph import FLOAT, Graph, Operator
from ffnn_jax.network import Network, by_path


def graph_of(model: Model) -> Graph:
    """The graph from pixels, uint8 (N, H, W, C), to probabilities, float32 (N, K)."""
    graph, network = Graph(by_path(model.params) | by_path(model.state)), model.network
    x = graph.add("Cast", "pixels", to=FLOAT)
    if model.normalisation is not None:
        scale, mean = map(np.asarray, model.normalisation)
        x = graph.add("Sub", graph.add("Mul", x, scale), mean)
    weights = WEIGHTS.get(model.views, {})
    views = _views(graph, x, network.input_shape, list(weights)) if weights else x
    logits = add_network(graph, network, views)
    if weights:
        by_view = graph.add("Reshape", logits, [2 * len(weights), -1, *network.output_shape])
        shares = np.repeat(list(weights.values()), 2).reshape(-1, 1, 1) / 2
        logits = graph.add("ReduceSum", graph.add("Mul", by_view, shares), [0], keepdims=0)
    graph.add("Softmax", logits, axis=-1)
    return graph


def _views(graph: Graph, x: str, shape: nn.Shape, firsts: list[int]) -> str:
    """As ``logits_of_views``: shifted images and their mirror images, one batch after the other."""
    rows, columns = (np.pad(np.arange(n), 1, mode="reflect") for n in shape[:2])
    views = []
    for first in firsts:
        shifted = graph.add("Gather", x, rows[first : first + shape[0]], axis=1)
        across = columns[first : first + shape[1]]
        views += [graph.add("Gather", shifted, order, axis=2) for order in (across, across[::-1])]
    return graph.add("Concat", *views, axis=0)


def add_network(graph: Graph, network: Network, x: str) -> str:
    """Adds the nodes of a network, whose inputs and outputs have their channels last.

    Raises:
        UserError: there is no operator for a layer, such as a custom one.
    """
    before, after = len(network.input_shape), len(network.output_shape)
    first = graph.add("Transpose", x, perm=[0, before, *range(1, before)])
    z = _add_chain(graph, network.layers, first, network.input_shape)
    return graph.add("Transpose", z, perm=[0, *range(2, after + 1), 1])


def _add_chain(graph: Graph, layers: tuple[nn.Layer, ...], x: str, shape: nn.Shape) -> str:
    inputs = nn.shapes_through(layers, shape)
    for (_, name, layer), own_shape in zip(nn.numbered(layers), inputs, strict=False):
        if type(layer) not in OPERATORS:
            raise UserError(f"{graph.path}{name}: ONNX has no operator for the layer {layer}")
        own = dataclasses.replace(graph, path=f"{graph.path}{name}/", layer=layer, shape=own_shape)
        x = OPERATORS[type(layer)](own, x)
    return x


def _add_parts(graph: Graph, x: str) -> str:
    """The sum of a layer's parts."""
    outputs = (
        _add_chain(dataclasses.replace(graph, path=f"{graph.path}{name}/"), part, x, graph.shape)
        for name, part in graph.layer.parts().items()
    )
    return functools.reduce(lambda one, other: graph.add("Add", one, other), outputs)


_NESTED = {nn.Residual: _add_parts, nn.Sequential: _add_parts}
OPERATORS: dict[type[nn.Layer], Operator] = {**BY_VALUE, **BY_WINDOW, **_NESTED}
