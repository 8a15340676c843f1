"""A model as an ONNX file, operator by operator; a family of layers is a file.

The contract is that of the StableHLO program. Only writing a file needs the package onnx.
"""

from ffnn_jax.models.onnx._save import save_onnx

__all__ = ["save_onnx"]
