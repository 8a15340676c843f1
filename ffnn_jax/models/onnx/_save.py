"""The ONNX file: checked, run once and compared with the model, then written."""

import importlib.util
import json
from pathlib import Path

import jax
import numpy as np

from ffnn_jax.config import UserError, require_onnx
from ffnn_jax.models._model import Model, random_pixels, write_exported
from ffnn_jax.models._probabilities import logits_of_views
from ffnn_jax.models.onnx._graph import FLOAT, UINT8, Graph
from ffnn_jax.models.onnx._program import graph_of
from ffnn_jax.network import normalise
from ffnn_jax.nn import Shape

End = tuple[str, int, Shape]
_OPSET, _FORMAT = 17, 8  # onnxruntime reads both since 1.12
_PARITY = 1e-5  # of the largest logit, or of 1: float32 rounds by a share of what it computes


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
    require_onnx("ONNX")
    x = "pixels", UINT8, model.network.input_shape
    z = "probabilities", FLOAT, model.network.output_shape
    content = encoded(graph_of(model), x, z, class_names=json.dumps(model.class_names))
    difference = _difference(content, model) if importlib.util.find_spec("onnxruntime") else None
    allowed = _PARITY if difference is None else _PARITY * max(_largest_logit(model), 1.0)
    if difference is not None and not difference <= allowed:
        problem = f"the graph differs from the model by {difference:.1e}, at most {allowed:.1g}"
        raise UserError(f"{path}: {problem}")
    write_exported(path, content)
    return difference


def encoded(graph: Graph, x: End, z: End, **about: str) -> bytes:
    """A graph as a checked file; an end is a name, a dtype and a shape without the batch."""
    from onnx import checker, helper, numpy_helper

    operator, inputs, _, attributes = graph.nodes.pop()
    nodes = [*graph.nodes, (operator, inputs, z[0], attributes)]
    steps = [helper.make_node(kind, ins, [out], out, **more) for kind, ins, out, more in nodes]
    info = helper.make_tensor_value_info
    ends = [[info(name, kind, ["batch", *shape])] for name, kind, shape in (x, z)]
    constants = [numpy_helper.from_array(array, name) for name, array in graph.constants.items()]
    whole = helper.make_graph(steps, "model", ends[0], ends[1], constants)
    opsets = [helper.make_opsetid("", _OPSET)]
    model = helper.make_model(whole, opset_imports=opsets, ir_version=_FORMAT)
    helper.set_model_props(model, about)
    checker.check_model(model, full_check=True)
    return model.SerializeToString()


def _difference(content: bytes, model: Model) -> float:
    from onnxruntime import InferenceSession

    pixels = random_pixels(model)
    session = InferenceSession(content, providers=["CPUExecutionProvider"])
    (actual,) = session.run(None, {"pixels": pixels})
    with jax.default_matmul_precision("highest"):
        return float(np.abs(np.asarray(actual) - model.probabilities(pixels)).max())


def _largest_logit(model: Model) -> float:
    x = normalise(random_pixels(model), model.normalisation)
    arrays = model.params, model.state, x, model.views
    return float(np.abs(logits_of_views(model.network, *arrays)).max())
