"""What a layer is beside its mathematics: shapes, parameters, state, and how it is applied.

The mathematics is in ``ffnn_jax.layers``, which is imported when a layer is applied: importing this
package leaves jax out. A layer of your own is the same thing as one of these.
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
