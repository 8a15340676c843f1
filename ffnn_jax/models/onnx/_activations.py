"""Activations, and what else treats each value alone."""

import math
from collections.abc import Callable

from ffnn_jax import nn
from ffnn_jax.models.onnx._graph import Graph, Operator, node, per_channel
from ffnn_jax.nn import Shape

Function = Callable[[Graph, str], str]


def _sigmoid(graph: Graph, x: str) -> str:
    return graph.add("Sigmoid", x)


def _silu(graph: Graph, x: str) -> str:
    return graph.add("Mul", x, _sigmoid(graph, x))


def _gelu(graph: Graph, x: str) -> str:
    erf = graph.add("Erf", graph.add("Mul", x, math.sqrt(0.5)))
    return graph.add("Mul", graph.add("Mul", x, 0.5), graph.add("Add", erf, 1.0))


def _gelu_tanh(graph: Graph, x: str) -> str:
    """Equation (smooth.11), whose odd polynomial in x is x times one in its square."""
    even = graph.add("Add", graph.add("Mul", graph.add("Mul", x, x), 0.044715), 1.0)
    k = graph.add("Mul", x, math.sqrt(8 / math.pi))
    return graph.add("Mul", x, _sigmoid(graph, graph.add("Mul", k, even)))


def _mish(graph: Graph, x: str) -> str:
    return graph.add("Mul", x, graph.add("Tanh", graph.add("Softplus", x)))


def _elementwise(function: Function) -> Operator:
    return lambda graph, layer, x, shape: function(graph, x)


def _gated(function: Function, inside: int) -> Operator:
    """The function of one half of the channels, numbered 0 or 1, times the other."""

    def operator(graph: Graph, layer: nn.Layer, x: str, shape: Shape) -> str:
        half = shape[-1] // 2
        halves = [graph.add("Slice", x, [n * half], [n * half + half], [1]) for n in (0, 1)]
        return graph.add("Mul", function(graph, halves[inside]), halves[1 - inside])

    return operator


def _prelu(graph: Graph, layer: nn.Layer, x: str, shape: Shape) -> str:
    return graph.add("PRelu", x, per_channel(graph.array("slope"), shape))


def _scale(graph: Graph, layer: nn.Scale, x: str, shape: Shape) -> str:
    return graph.add("Mul", x, per_channel(graph.array("factor"), shape))


ACTIVATIONS: dict[type[nn.Layer], Operator] = {
    nn.CELU: lambda graph, layer, x, shape: graph.add("Celu", x, alpha=layer.alpha),
    nn.Dropout: lambda graph, layer, x, shape: x,
    nn.ELU: lambda graph, layer, x, shape: graph.add("Elu", x, alpha=layer.alpha),
    nn.GELU: _elementwise(_gelu),
    nn.GELUTanh: _elementwise(_gelu_tanh),
    nn.GLU: _gated(_sigmoid, 1),
    nn.GeGLU: _gated(_gelu, 0),
    nn.HardSigmoid: node("HardSigmoid", alpha=1 / 6, beta=0.5),
    nn.HardSwish: node("HardSwish"),
    nn.HardTanh: lambda graph, layer, x, shape: graph.add("Clip", x, -1.0, 1.0),
    nn.LeakyReLU: lambda graph, layer, x, shape: graph.add("LeakyRelu", x, alpha=layer.slope),
    nn.LogSoftmax: node("LogSoftmax", axis=1),
    nn.Mish: _elementwise(_mish),
    nn.PReLU: _prelu,
    nn.ReLU: node("Relu"),
    nn.ReLU6: lambda graph, layer, x, shape: graph.add("Clip", x, 0.0, 6.0),
    nn.SELU: node("Selu"),
    nn.Scale: _scale,
    nn.SiLU: _elementwise(_silu),
    nn.Sigmoid: node("Sigmoid"),
    nn.Softplus: node("Softplus"),
    nn.Softsign: node("Softsign"),
    nn.SwiGLU: _gated(_silu, 0),
    nn.Tanh: node("Tanh"),
}
