"""The nodes of a graph, as plain records.

Between layers the channels are the first axis after the batch, as in ONNX: what is (N, ..., C)
elsewhere in this package is (N, C, ...) there.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ffnn_jax.nn import Shape

FLOAT, UINT8 = 1, 2  # as ONNX numbers dtypes
Node = tuple[str, list[str], str, dict[str, Any]]  # operator, inputs, output, attributes


@dataclasses.dataclass(frozen=True)
class Graph:
    """The nodes and the constants by name so far, as one layer sees them.

    Attributes:
        arrays: parameters and state of all layers, by path.
        path: the layer's path, such as "residual_2/body/conv_1/".
        layer: the layer.
        shape: of one of its inputs, with the channels last.
    """

    arrays: Mapping[str, Any]
    nodes: list[Node] = dataclasses.field(default_factory=list)
    constants: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    path: str = ""
    layer: Any = None
    shape: Shape = ()

    def add(self, operator: str, *inputs: Any, **attributes: Any) -> str:
        """The output of a new node; an input that is no name is a constant."""
        output = f"{self.path}{operator}_{len(self.nodes)}"
        names = [self._named(value, f"{output}.{n}") for n, value in enumerate(inputs)]
        self.nodes.append((operator, names, output, attributes))
        return output

    def _named(self, value: Any, name: str) -> str:
        if not isinstance(value, str):
            kind = np.float32 if np.asarray(value).dtype.kind == "f" else np.int64
            self.constants[name] = np.asarray(value, kind)
        return value if isinstance(value, str) else name

    def array(self, name: str) -> np.ndarray:
        """A parameter or state of the layer, as float32."""
        return np.asarray(self.arrays[self.path + name], np.float32)

    def setting(self, name: str) -> float:
        """A number of the layer's settings; an integer, too, is a float in ONNX."""
        return float(getattr(self.layer, name))

    def per_channel(self, name: str) -> np.ndarray:
        """The same, if it has a value per channel or one for all, to be broadcast with inputs."""
        return self.array(name).reshape(-1, *(1 for _ in self.shape[1:]))


Operator = Callable[[Graph, str], str]
"""Adds the nodes of the graph's layer to the input of this name; returns the output's name."""
