"""Pooling, upsampling and padding."""

from typing import Any

import numpy as np

from ffnn_jax.layers._geometry import pads_along
from ffnn_jax.models.onnx._graph import Graph, Operator
from ffnn_jax.models.onnx._weighted import pads_of
from ffnn_jax.nn import (
    AdaptiveAvgPool,
    AvgPool,
    GlobalAvgPool,
    Layer,
    MaxPool,
    Pad,
    Shape,
    Upsample,
)

_INTERPOLATION: dict[str, dict[str, str]] = {
    "nearest": {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    "bilinear": {"coordinate_transformation_mode": "half_pixel", "mode": "linear"},
}


def _max_pool(graph: Graph, layer: MaxPool, x: str, shape: Shape) -> str:
    return graph.add("MaxPool", x, **_windows(layer, shape))


def _avg_pool(graph: Graph, layer: AvgPool, x: str, shape: Shape) -> str:
    counted = int(layer.count_padding)
    return graph.add("AveragePool", x, count_include_pad=counted, **_windows(layer, shape))


def _windows(layer: MaxPool | AvgPool, shape: Shape) -> dict[str, Any]:
    size, stride = layer.window, layer.stride or layer.window
    pads = [pads_along(length, size, layer.padding, stride) for length in shape[:2]]
    return {"kernel_shape": 2 * [size], "strides": 2 * [stride], "pads": pads_of(pads)}


def _global_avg_pool(graph: Graph, layer: GlobalAvgPool, x: str, shape: Shape) -> str:
    return graph.add("Flatten", graph.add("GlobalAveragePool", x), axis=1)


def _adaptive_avg_pool(graph: Graph, layer: AdaptiveAvgPool, x: str, shape: Shape) -> str:
    sizes = layer.output_shape(shape)[:2]
    rows, columns = (_averages(*lengths) for lengths in zip(shape[:2], sizes, strict=True))
    return graph.add("MatMul", graph.add("MatMul", rows, x), columns.T)


def _averages(length: int, count: int) -> np.ndarray:
    """The matrix (count, length) whose rows average the bins of (adaptive.3)."""
    bins = [(i * length // count, -(-(i + 1) * length // count)) for i in range(count)]
    return np.array([[(a <= h < b) / (b - a) for h in range(length)] for a, b in bins])


def _upsample(graph: Graph, layer: Upsample, x: str, shape: Shape) -> str:
    scales = [1.0, 1.0, float(layer.factor), float(layer.factor)]
    return graph.add("Resize", x, "", scales, **_INTERPOLATION[layer.method])


def _pad(graph: Graph, layer: Pad, x: str, shape: Shape) -> str:
    rows, columns = np.broadcast_to(layer.width, (2, 2)).tolist()
    return graph.add("Pad", x, pads_of([(0, 0), (0, 0), rows, columns]), float(layer.value))


RESIZING: dict[type[Layer], Operator] = {
    AdaptiveAvgPool: _adaptive_avg_pool,
    AvgPool: _avg_pool,
    GlobalAvgPool: _global_avg_pool,
    MaxPool: _max_pool,
    Pad: _pad,
    Upsample: _upsample,
}
