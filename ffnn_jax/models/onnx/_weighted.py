"""Dense layers and convolutions."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from ffnn_jax.layers import weight_standardisation
from ffnn_jax.layers._geometry import pads_along
from ffnn_jax.models.onnx._graph import Graph, Operator
from ffnn_jax.nn import Conv, Conv1D, ConvTranspose, Dense, Layer, Shape


def _dense(graph: Graph, layer: Dense, x: str, shape: Shape) -> str:
    w, b = _weights(graph, layer)
    if layer.flatten:
        return graph.add("Gemm", graph.add("Flatten", x, axis=1), by_channels_first(w, shape), *b)
    if len(shape) == 1:
        return graph.add("Gemm", x, w, *b)
    return graph.add("Conv", x, w.T.reshape(*w.T.shape, *(1 for _ in shape[1:])), *b)


def by_channels_first(w: np.ndarray, shape: Shape) -> np.ndarray:
    """Weights (inputs, units) for inputs (..., C) that are flattened as (C, ...)."""
    return np.moveaxis(w.reshape(*shape, -1), -2, 0).reshape(w.shape)


def _conv(graph: Graph, layer: Conv, x: str, shape: Shape) -> str:
    (w, b), axes = _weights(graph, layer), len(shape) - 1
    settings = layer.size, layer.padding, layer.stride, layer.dilation
    return graph.add(
        "Conv", x, np.moveaxis(w, (-1, -2), (0, 1)), *b, group=layer.groups,
        strides=axes * [layer.stride], dilations=axes * [layer.dilation],
        pads=pads_of([pads_along(length, *settings) for length in shape[:-1]]),
    )  # fmt: skip


def _conv_transpose(graph: Graph, layer: ConvTranspose, x: str, shape: Shape) -> str:
    """The pads are those of the convolution of the output, which is transposed."""
    (w, b), outputs = _weights(graph, layer), layer.output_shape(shape)[:2]
    pads = [pads_along(length, layer.size, layer.padding, layer.stride) for length in outputs]
    covered = [(length - 1) * layer.stride + layer.size for length in shape[:2]]
    beyond = [z - (n - sum(p)) for z, n, p in zip(outputs, covered, pads, strict=True)]
    return graph.add(
        "ConvTranspose", x, np.moveaxis(w, (-2, -1), (0, 1)), *b,
        strides=2 * [layer.stride], pads=pads_of(pads), output_padding=beyond,
    )  # fmt: skip


def _weights(graph: Graph, layer: Any) -> tuple[np.ndarray, list[np.ndarray]]:
    """The weights as used, and the biases, if any."""
    w = graph.array("w")
    used = np.asarray(weight_standardisation(jnp.asarray(w))) if layer.standardised else w
    return used, [graph.array("b")] if layer.bias else []


def pads_of(pads: list[tuple[int, int]]) -> list[int]:
    """(before, after) of each axis in ONNX's order: all before, then all after."""
    return np.transpose(pads).ravel().tolist()


WEIGHTED: dict[type[Layer], Operator] = {
    Conv: _conv,
    Conv1D: _conv,
    ConvTranspose: _conv_transpose,
    Dense: _dense,
}
