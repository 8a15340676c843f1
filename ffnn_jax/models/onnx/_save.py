"""The ONNX file: checked, run once and compared with the model, then written."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ffnn_jax.config import UserError, require_onnx
from ffnn_jax.models._model import Model
from ffnn_jax.models.onnx._graph import Graph
from ffnn_jax.models.onnx._program import graph_of
from ffnn_jax.nn import Shape

Ends = tuple[tuple[str, Any, Shape], tuple[str, Any, Shape]]
_OPSET, _FORMAT = 17, 8  # onnxruntime reads both since 1.12
_PARITY = 1e-5


def save_onnx(path: Path, model: Model) -> float | None:
    """Writes a model as ONNX, of opset 17.

    From "pixels", uint8 (batch, H, W, C), to "probabilities", float32 (batch, K); the metadata
    "class_names" is a JSON list.

    Returns:
        The largest difference from the model in a probability over 7 random images, as onnxruntime
        computes it; None if that is not installed.

    Raises:
        UserError: the package onnx is not installed, a layer cannot be written as ONNX, the graph
            differs from the model, or the file cannot be written.
    """
    require_onnx("export --onnx")
    shapes = model.network.input_shape, model.network.output_shape
    ends = ("pixels", np.uint8, shapes[0]), ("probabilities", np.float32, shapes[1])
    content = encoded(graph_of(model), ends, class_names=json.dumps(model.class_names))
    difference = _difference(content, model) if importlib.util.find_spec("onnxruntime") else None
    if difference is not None and not difference <= _PARITY:
        problem = f"the graph differs from the model by {difference:.1e}, at most {_PARITY}"
        raise UserError(f"{path}: {problem}")
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UserError(f"export cannot be written: {error}") from None
    return difference


def encoded(graph: Graph, ends: Ends, **about: str) -> bytes:
    """A graph as a checked file; its ends are input and output without the batch, which is free."""
    from onnx import checker, helper, numpy_helper

    x, z = (
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), ["batch", *shape]
        )
        for name, dtype, shape in ends
    )
    *nodes, last = graph.nodes
    nodes = [
        helper.make_node(n.operator, n.inputs, [n.output], n.output, **n.attributes)
        for n in (*nodes, last._replace(output=z.name))
    ]
    constants = [numpy_helper.from_array(array, name) for name, array in graph.constants.items()]
    proto = helper.make_model(
        helper.make_graph(nodes, "model", [x], [z], constants), producer_name="ffnn_jax",
        opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_FORMAT,
    )  # fmt: skip
    helper.set_model_props(proto, about)
    checker.check_model(proto, full_check=True)
    return proto.SerializeToString()


def _difference(content: bytes, model: Model) -> float:
    from onnxruntime import InferenceSession

    shape = (7, *model.network.input_shape)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    session = InferenceSession(content, providers=["CPUExecutionProvider"])
    (actual,) = session.run(None, {"pixels": pixels})
    with jax.default_matmul_precision("highest"):
        return float(np.abs(np.asarray(actual) - model.probabilities(pixels)).max())
