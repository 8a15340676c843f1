"""The nodes of a graph, as plain records.

Between the layers of a graph channels are the first axis after the batch, as ONNX has them: what is
(N, ..., C) elsewhere in this package is (N, C, ...) there. Shapes are still those of this package.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ffnn_jax.nn import Shape


class Node(NamedTuple):
    """An operator of ONNX, the names of its inputs and of its output, and its attributes."""

    operator: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Graph:
    """The nodes and constants so far, as one layer sees them.

    Attributes:
        arrays: the parameters and state of all layers, by path.
        nodes: the nodes, in order.
        constants: the constants by name, float32 or int64.
        path: of the layer that adds nodes, such as "residual_2/body/".
    """

    arrays: Mapping[str, Any]
    nodes: list[Node] = dataclasses.field(default_factory=list)
    constants: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    path: str = ""

    def within(self, name: str) -> "Graph":
        """The same graph, as the layer or chain of this name sees it."""
        return dataclasses.replace(self, path=f"{self.path}{name}/")

    def array(self, name: str) -> np.ndarray:
        """A parameter or state of the layer, as float32."""
        return np.asarray(self.arrays[self.path + name], np.float32)

    def add(self, operator: str, *inputs: Any, **attributes: Any) -> str:
        """The output of a new node; an input that is no name is a constant."""
        output = f"{self.path}{operator}_{len(self.nodes)}"
        names = tuple(self._named(f"{output}.{n}", value) for n, value in enumerate(inputs))
        self.nodes.append(Node(operator, names, output, attributes))
        return output

    def _named(self, name: str, value: Any) -> str:
        if isinstance(value, str):
            return value
        array = np.asarray(value)
        self.constants[name] = array.astype(np.float32 if array.dtype.kind == "f" else np.int64)
        return name


Operator = Callable[[Graph, Any, str, Shape], str]
"""Adds a layer's nodes, given the graph, the layer, its input's name and shape (without the batch);
returns the output's name."""


def node(operator: str, **attributes: Any) -> Operator:
    """A layer that is one operator with these attributes."""
    return lambda graph, layer, x, shape: graph.add(operator, x, **attributes)


def per_channel(values: np.ndarray, shape: Shape) -> np.ndarray:
    """One value per channel, or one for all, to be broadcast with inputs of this shape."""
    return values.reshape(-1, *(1 for _ in shape[1:]))
