"""The table of contents: the package's layers by name."""

from ffnn_jax.nn import (
    _activations,
    _batch_norm,
    _conv,
    _dense,
    _dropout,
    _nested,
    _norm,
    _pool,
    _resize,
)
from ffnn_jax.nn._activations import *
from ffnn_jax.nn._batch_norm import *
from ffnn_jax.nn._conv import *
from ffnn_jax.nn._dense import *
from ffnn_jax.nn._dropout import *
from ffnn_jax.nn._layer import Layer
from ffnn_jax.nn._nested import *
from ffnn_jax.nn._norm import *
from ffnn_jax.nn._pool import *
from ffnn_jax.nn._resize import *

__all__: list[str] = []
__all__ += _activations.__all__
__all__ += _batch_norm.__all__
__all__ += _conv.__all__
__all__ += _dense.__all__
__all__ += _dropout.__all__
__all__ += _nested.__all__
__all__ += _norm.__all__
__all__ += _pool.__all__
__all__ += _resize.__all__

LAYERS: dict[str, type[Layer]] = {name: globals()[name] for name in sorted(__all__)}
