"""A model as an ONNX file, operator by operator; each family of layers has a file.

The contract is that of the StableHLO program: uint8 pixels (batch, H, W, C) in, for any batch size,
class probabilities out, normalisation inside. Only writing needs the package onnx.
"""

from ffnn_jax.models.onnx._chain import OPERATORS
from ffnn_jax.models.onnx._save import save_onnx

__all__ = ["OPERATORS", "save_onnx"]
