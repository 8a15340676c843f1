"""Activations, scaling and normalisations."""

import math
from typing import Any

import numpy as np

from ffnn_jax import nn
from ffnn_jax.models.onnx._graph import Graph, Operator


def _is(operator: str, *constants: float, **attributes: Any) -> Operator:
    return lambda graph, x: graph.add(operator, x, *constants, **attributes)


def _silu(graph: Graph, x: str) -> str:
    return graph.add("Mul", x, graph.add("Sigmoid", x))


def _gelu(graph: Graph, x: str) -> str:
    erf = graph.add("Erf", graph.add("Mul", x, math.sqrt(0.5)))
    return graph.add("Mul", graph.add("Mul", x, 0.5), graph.add("Add", erf, 1.0))


def _gelu_tanh(graph: Graph, x: str) -> str:
    """Equation (smooth.11); its odd polynomial is x times one of the square."""
    even = graph.add("Add", graph.add("Mul", graph.add("Mul", x, x), 0.044715), 1.0)
    odd = graph.add("Mul", graph.add("Mul", x, math.sqrt(8 / math.pi)), even)
    return graph.add("Mul", x, graph.add("Sigmoid", odd))


def _mish(graph: Graph, x: str) -> str:
    return graph.add("Mul", x, graph.add("Tanh", graph.add("Softplus", x)))


def _gated(function: Operator, inside: int) -> Operator:
    """The function of one half of the channels, numbered 0 or 1, times the other."""

    def operator(graph: Graph, x: str) -> str:
        half = graph.shape[-1] // 2
        halves = [graph.add("Slice", x, [n * half], [n * half + half], [1]) for n in (0, 1)]
        return graph.add("Mul", function(graph, halves[inside]), halves[1 - inside])

    return operator


def _batch_norm(graph: Graph, x: str) -> str:
    shift, *running = map(graph.array, ("shift", "mean", "variance"))
    scale = graph.array("scale") if graph.layer.scale else np.ones_like(shift)
    return graph.add("BatchNormalization", x, scale, shift, *running, epsilon=graph.layer.eps)


def _group_norm(graph: Graph, x: str) -> str:
    """An instance normalisation has a group for each channel; a 0 keeps an axis as it is."""
    *extent, channels = graph.shape
    groups = graph.add("Reshape", x, [0, getattr(graph.layer, "groups", channels), -1])
    normalised = _divided(graph, _centred(graph, groups, 2), 2)
    return _scaled_and_shifted(graph, graph.add("Reshape", normalised, [0, channels, *extent]))


def _layer_norm(graph: Graph, x: str) -> str:
    return _scaled_and_shifted(graph, _divided(graph, _centred(graph, x, 1), 1))


def _rms_norm(graph: Graph, x: str) -> str:
    return graph.add("Mul", _divided(graph, x, 1), graph.per_channel("scale"))


def _centred(graph: Graph, x: str, axis: int) -> str:
    return graph.add("Sub", x, graph.add("ReduceMean", x, axes=[axis]))


def _divided(graph: Graph, x: str, axis: int) -> str:
    """Divides x by the root of its mean square plus eps."""
    square = graph.add("ReduceMean", graph.add("Mul", x, x), axes=[axis])
    return graph.add("Div", x, graph.add("Sqrt", graph.add("Add", square, graph.layer.eps)))


def _scaled_and_shifted(graph: Graph, x: str) -> str:
    scaled = graph.add("Mul", x, graph.per_channel("scale"))
    return graph.add("Add", scaled, graph.per_channel("shift"))


_NAMESAKES = "HardSwish", "Sigmoid", "Softplus", "Softsign", "Tanh"
BY_VALUE: dict[type[nn.Layer], Operator] = {
    **{nn.LAYERS[name]: _is(name) for name in _NAMESAKES},
    nn.BatchNorm: _batch_norm, nn.GroupNorm: _group_norm, nn.InstanceNorm: _group_norm,
    nn.LayerNorm: _layer_norm, nn.RMSNorm: _rms_norm,
    nn.CELU: lambda graph, x: graph.add("Celu", x, alpha=graph.layer.alpha),
    nn.Dropout: lambda graph, x: x,
    nn.ELU: lambda graph, x: graph.add("Elu", x, alpha=graph.layer.alpha),
    nn.GELU: _gelu, nn.GELUTanh: _gelu_tanh,
    nn.GLU: _gated(_is("Sigmoid"), 1), nn.GeGLU: _gated(_gelu, 0), nn.SwiGLU: _gated(_silu, 0),
    nn.HardSigmoid: _is("HardSigmoid", alpha=1 / 6, beta=0.5),
    nn.LeakyReLU: lambda graph, x: graph.add("LeakyRelu", x, alpha=graph.layer.slope),
    nn.LogSoftmax: _is("LogSoftmax", axis=1),
    nn.PReLU: lambda graph, x: graph.add("PRelu", x, graph.per_channel("slope")),
    nn.ReLU: _is("Relu"), nn.ReLU6: _is("Clip", 0.0, 6.0), nn.HardTanh: _is("Clip", -1.0, 1.0),
    nn.Scale: lambda graph, x: graph.add("Mul", x, graph.per_channel("factor")),
    nn.SELU: _is("Selu"), nn.SiLU: _silu, nn.Mish: _mish,
}  # fmt: skip
