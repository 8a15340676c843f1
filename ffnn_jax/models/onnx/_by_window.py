"""Dense layers, convolutions, pooling, upsampling and padding."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from ffnn_jax import nn
from ffnn_jax.layers import weight_standardisation
from ffnn_jax.layers._geometry import pads_along
from ffnn_jax.models.onnx._graph import Graph, Operator


def _dense(graph: Graph, x: str) -> str:
    (w, *b), axes = _weights(graph), len(graph.shape)
    if not graph.layer.flatten and axes > 1:
        return graph.add("Conv", x, w.T.reshape(*w.T.shape, *(axes - 1) * [1]), *b)
    return graph.add("Gemm", graph.add("Flatten", x), channels_first(w, graph.shape), *b)


def channels_first(w: np.ndarray, shape: nn.Shape) -> np.ndarray:
    """Weights (inputs, units) for inputs (..., C) that are flattened as (C, ...)."""
    return np.moveaxis(w.reshape(*shape, -1), -2, 0).reshape(w.shape)


def _conv(graph: Graph, x: str) -> str:
    (w, *b), layer, extent = _weights(graph), graph.layer, graph.shape[:-1]
    return graph.add(
        "Conv", x, np.moveaxis(w, (-1, -2), (0, 1)), *b, group=layer.groups,
        strides=[layer.stride for _ in extent], dilations=[layer.dilation for _ in extent],
        pads=_pads(layer, extent, layer.size, layer.stride, layer.dilation),
    )  # fmt: skip


def _conv_transpose(graph: Graph, x: str) -> str:
    """The pads are those of the convolution of the output, which is transposed."""
    (w, *b), layer = _weights(graph), graph.layer
    beyond = max(layer.stride - layer.size, 0) if isinstance(layer.padding, str) else 0
    return graph.add(
        "ConvTranspose", x, np.moveaxis(w, (-2, -1), (0, 1)), *b,
        strides=2 * [layer.stride], output_padding=2 * [beyond],
        pads=_pads(layer, layer.output_shape(graph.shape)[:2], layer.size, layer.stride),
    )  # fmt: skip


def _weights(graph: Graph) -> list[np.ndarray]:
    """The weights as used, then the biases, if any."""
    w, layer = graph.array("w"), graph.layer
    used = np.asarray(weight_standardisation(jnp.asarray(w))) if layer.standardised else w
    return [used, graph.array("b")] if layer.bias else [used]


def _pads(layer: Any, extent: nn.Shape, *geometry: int) -> list[int]:
    """The zeros before images of this extent along each axis, then those after."""
    pads = [pads_along(length, geometry[0], layer.padding, *geometry[1:]) for length in extent]
    return np.ravel(pads, "F").tolist()


def _pool(graph: Graph, x: str) -> str:
    layer, stride = graph.layer, graph.layer.stride or graph.layer.window
    pads = _pads(layer, graph.shape[:2], layer.window, stride)
    windows = {"kernel_shape": 2 * [layer.window], "strides": 2 * [stride], "pads": pads}
    if isinstance(layer, nn.MaxPool):
        return graph.add("MaxPool", x, **windows)
    return graph.add("AveragePool", x, count_include_pad=int(layer.count_padding), **windows)


def _adaptive_avg_pool(graph: Graph, x: str) -> str:
    sizes = zip(graph.shape, graph.layer.output_shape(graph.shape)[:2], strict=False)
    rows, columns = (_averages(length, count) for length, count in sizes)
    return graph.add("MatMul", graph.add("MatMul", rows, x), columns.T)


def _averages(length: int, count: int) -> np.ndarray:
    """The matrix (count, length) whose rows average the bins of (adaptive.3)."""
    bins = [(i * length // count, -(-(i + 1) * length // count)) for i in range(count)]
    return np.array([[(a <= h < b) / (b - a) for h in range(length)] for a, b in bins])


def _upsample(graph: Graph, x: str) -> str:
    scales = np.array([1, 1, graph.layer.factor, graph.layer.factor], np.float32)
    mode = {"nearest": "nearest", "bilinear": "linear"}[graph.layer.method]
    return graph.add("Resize", x, "", scales, mode=mode)


def _pad(graph: Graph, x: str) -> str:
    widths = np.concatenate([np.zeros((2, 2)), np.broadcast_to(graph.layer.width, (2, 2))])
    return graph.add("Pad", x, widths.astype(int).ravel("F"), float(graph.layer.value))


BY_WINDOW: dict[type[nn.Layer], Operator] = {
    nn.AdaptiveAvgPool: _adaptive_avg_pool, nn.AvgPool: _pool,
    nn.Conv: _conv, nn.Conv1D: _conv, nn.ConvTranspose: _conv_transpose, nn.Dense: _dense,
    nn.GlobalAvgPool: lambda graph, x: graph.add("Flatten", graph.add("GlobalAveragePool", x)),
    nn.MaxPool: _pool, nn.Pad: _pad, nn.Upsample: _upsample,
}  # fmt: skip
