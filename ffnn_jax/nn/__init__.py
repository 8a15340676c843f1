"""Layers as objects: their shapes, parameters and state, and how they are applied.

The mathematics is in ``ffnn_jax.layers``, which is imported only when a layer is applied, so
importing this package does not import jax. A custom layer is written like one of these.
"""

from ffnn_jax.nn import _contents
from ffnn_jax.nn._chain import (
    apply,
    mixes_batch,
    needs_key,
    numbered,
    outputs,
    params_of,
    shapes_through,
    state_of,
)
from ffnn_jax.nn._contents import *  # noqa: F403
from ffnn_jax.nn._contents import LAYERS
from ffnn_jax.nn._keys import image_keys
from ffnn_jax.nn._layer import Layer
from ffnn_jax.nn._param import Constant, Dirac, FromImages, Initialiser, Normal, Param, Shape, Tree

__all__ = [
    "LAYERS",
    "Constant",
    "Dirac",
    "FromImages",
    "Initialiser",
    "Layer",
    "Normal",
    "Param",
    "Shape",
    "Tree",
    "apply",
    "image_keys",
    "mixes_batch",
    "needs_key",
    "numbered",
    "outputs",
    "params_of",
    "shapes_through",
    "state_of",
]
__all__ += _contents.__all__
