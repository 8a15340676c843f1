"""Activations, scaling and normalisations."""

import math
from functools import partial
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


def _gated(function: Operator, inside: int, graph: Graph, x: str) -> str:
    """The function of one half of the channels, numbered 0 or 1, times the other."""
    half = graph.shape[-1] // 2
    halves = [graph.add("Slice", x, [n * half], [n * half + half], [1]) for n in (0, 1)]
    return graph.add("Mul", function(graph, halves[inside]), halves[1 - inside])


def _batch_norm(graph: Graph, x: str) -> str:
    shift, *running = map(graph.array, ("shift", "mean", "variance"))
    scale = graph.array("scale") if graph.layer.scale else np.ones_like(shift)
    return graph.add("BatchNormalization", x, scale, shift, *running, epsilon=graph.setting("eps"))


def _group_norm(graph: Graph, x: str) -> str:
    """An instance normalisation has a group for each channel; a 0 keeps an axis as it is."""
    *extent, channels = graph.shape
    groups = getattr(graph.layer, "groups", channels)
    by_group, ones = graph.add("Reshape", x, [0, groups, -1]), np.ones(groups)
    x_hat = graph.add(
        "InstanceNormalization", by_group, ones, 0 * ones, epsilon=graph.setting("eps")
    )
    images = graph.add("Reshape", x_hat, [0, channels, *extent])
    scaled = graph.add("Mul", images, graph.per_channel("scale"))
    return graph.add("Add", scaled, graph.per_channel("shift"))


def _layer_norm(graph: Graph, x: str) -> str:
    centred = graph.add("Sub", x, graph.add("ReduceMean", x, axes=[1]))
    return graph.add("Add", _rms_norm(graph, centred), graph.per_channel("shift"))


def _rms_norm(graph: Graph, x: str) -> str:
    square = graph.add("ReduceMean", graph.add("Mul", x, x), axes=[1])
    x_hat = graph.add("Div", x, graph.add("Sqrt", graph.add("Add", square, graph.setting("eps"))))
    return graph.add("Mul", x_hat, graph.per_channel("scale"))


BY_VALUE: dict[type[nn.Layer], Operator] = {
    **{nn.LAYERS[n]: _is(n) for n in ("HardSwish", "Sigmoid", "Softplus", "Softsign", "Tanh")},
    nn.BatchNorm: _batch_norm, nn.GroupNorm: _group_norm, nn.InstanceNorm: _group_norm,
    nn.LayerNorm: _layer_norm, nn.RMSNorm: _rms_norm,
    nn.CELU: lambda graph, x: graph.add("Celu", x, alpha=graph.setting("alpha")),
    nn.ELU: lambda graph, x: graph.add("Elu", x, alpha=graph.setting("alpha")),
    nn.GELU: _gelu, nn.GELUTanh: _gelu_tanh,
    nn.GLU: partial(_gated, _is("Sigmoid"), 1),
    nn.GeGLU: partial(_gated, _gelu, 0), nn.SwiGLU: partial(_gated, _silu, 0),
    nn.HardSigmoid: _is("HardSigmoid", alpha=1 / 6, beta=0.5),
    nn.LeakyReLU: lambda graph, x: graph.add("LeakyRelu", x, alpha=graph.setting("slope")),
    nn.LogSoftmax: _is("LogSoftmax", axis=1), nn.Dropout: lambda graph, x: x,
    nn.PReLU: lambda graph, x: graph.add("PRelu", x, graph.per_channel("slope")),
    nn.ReLU: _is("Relu"), nn.ReLU6: _is("Clip", 0.0, 6.0), nn.HardTanh: _is("Clip", -1.0, 1.0),
    nn.Scale: lambda graph, x: graph.add("Mul", x, graph.per_channel("factor")),
    nn.SELU: _is("Selu"), nn.SiLU: _silu, nn.Mish: _mish,
}  # fmt: skip
