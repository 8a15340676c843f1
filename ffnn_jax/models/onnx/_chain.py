"""The table of operators by layer class, and chains of layers, nested ones included."""

import functools

from ffnn_jax._errors import UserError
from ffnn_jax.models.onnx._activations import ACTIVATIONS
from ffnn_jax.models.onnx._graph import Graph, Operator
from ffnn_jax.models.onnx._norm import NORMALISATIONS
from ffnn_jax.models.onnx._resize import RESIZING
from ffnn_jax.models.onnx._weighted import WEIGHTED
from ffnn_jax.nn import Layer, Residual, Sequential, Shape, numbered, shapes_through


def add_chain(graph: Graph, layers: tuple[Layer, ...], x: str, shape: Shape) -> str:
    """Adds the nodes of layers to inputs of this shape; returns the last output's name.

    Raises:
        UserError: the table has no operator for a layer, such as a custom one.
    """
    for (_, name, layer), inputs in zip(
        numbered(layers), shapes_through(layers, shape), strict=False
    ):
        if type(layer) not in OPERATORS:
            raise UserError(f"{graph.path}{name}, {layer}: this layer cannot be written as ONNX")
        x = OPERATORS[type(layer)](graph.within(name), layer, x, inputs)
    return x


def _sum_of_parts(graph: Graph, layer: Layer, x: str, shape: Shape) -> str:
    parts = layer.parts().items()
    outputs = [add_chain(graph.within(name), part, x, shape) for name, part in parts]
    return functools.reduce(lambda a, b: graph.add("Add", a, b), outputs)


OPERATORS: dict[type[Layer], Operator] = {
    **ACTIVATIONS,
    **NORMALISATIONS,
    **RESIZING,
    **WEIGHTED,
    Residual: _sum_of_parts,
    Sequential: _sum_of_parts,
}
