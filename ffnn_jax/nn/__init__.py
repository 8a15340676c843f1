"""Layers as objects: their shapes, parameters and state, and how they are applied.

The mathematics is in ``ffnn_jax.layers``, which is imported only when a layer is applied, so
importing this package does not import jax. A custom layer is written like one of these.
"""

from ._activations import *
from ._chain import *
from ._layer import *
from ._norm import *
from ._param import *
from ._resize import *
from ._weighted import *

__all__ = ["LAYERS"]
__all__ += _activations.__all__
__all__ += _chain.__all__
__all__ += _layer.__all__
__all__ += _norm.__all__
__all__ += _param.__all__
__all__ += _resize.__all__
__all__ += _weighted.__all__

_kinds = {name: kind for name, kind in sorted(globals().items()) if isinstance(kind, type)}
LAYERS = {n: kind for n, kind in _kinds.items() if issubclass(kind, Layer) and kind is not Layer}
