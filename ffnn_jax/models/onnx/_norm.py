"""Normalisations."""

from ffnn_jax.models.onnx._graph import Graph, Operator, per_channel
from ffnn_jax.nn import BatchNorm, GroupNorm, InstanceNorm, Layer, LayerNorm, RMSNorm, Shape


def _batch_norm(graph: Graph, layer: BatchNorm, x: str, shape: Shape) -> str:
    shift, *running = map(graph.array, ("shift", "mean", "variance"))
    scale = graph.array("scale") if layer.scale else shift * 0 + 1
    return graph.add("BatchNormalization", x, scale, shift, *running, epsilon=layer.eps)


def _layer_norm(graph: Graph, layer: LayerNorm, x: str, shape: Shape) -> str:
    centred = _centred(graph, x, 1)
    return _shifted(graph, _scaled(graph, _divided(graph, centred, 1, layer.eps), shape), shape)


def _rms_norm(graph: Graph, layer: RMSNorm, x: str, shape: Shape) -> str:
    return _scaled(graph, _divided(graph, x, 1, layer.eps), shape)


def _group_norm(graph: Graph, layer: GroupNorm, x: str, shape: Shape) -> str:
    return _by_groups(graph, x, shape, layer.groups, layer.eps)


def _instance_norm(graph: Graph, layer: InstanceNorm, x: str, shape: Shape) -> str:
    return _by_groups(graph, x, shape, shape[-1], layer.eps)


def _by_groups(graph: Graph, x: str, shape: Shape, groups: int, eps: float) -> str:
    """Normalises (N, C, ...) as (N, groups, entries of a group); a 0 keeps an axis."""
    entries = _centred(graph, graph.add("Reshape", x, [0, groups, -1]), 2)
    normalised = _divided(graph, entries, 2, eps)
    images = graph.add("Reshape", normalised, [0, shape[-1], *shape[:-1]])
    return _shifted(graph, _scaled(graph, images, shape), shape)


def _centred(graph: Graph, x: str, axis: int) -> str:
    return graph.add("Sub", x, graph.add("ReduceMean", x, axes=[axis]))


def _divided(graph: Graph, x: str, axis: int, eps: float) -> str:
    """X divided by the root of its mean square plus eps."""
    square = graph.add("ReduceMean", graph.add("Mul", x, x), axes=[axis])
    return graph.add("Div", x, graph.add("Sqrt", graph.add("Add", square, eps)))


def _scaled(graph: Graph, x: str, shape: Shape) -> str:
    return graph.add("Mul", x, per_channel(graph.array("scale"), shape))


def _shifted(graph: Graph, x: str, shape: Shape) -> str:
    return graph.add("Add", x, per_channel(graph.array("shift"), shape))


NORMALISATIONS: dict[type[Layer], Operator] = {
    BatchNorm: _batch_norm,
    GroupNorm: _group_norm,
    InstanceNorm: _instance_norm,
    LayerNorm: _layer_norm,
    RMSNorm: _rms_norm,
}
