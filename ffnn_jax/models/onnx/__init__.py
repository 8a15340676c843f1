"""A model as an ONNX file, operator by operator; only writing it needs the package onnx."""

from ffnn_jax.models.onnx._save import save_onnx

__all__ = ["save_onnx"]
