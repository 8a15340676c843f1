"""The mathematics: each layer's forward pass, and its gradient derived by hand.

Each file is a chapter. It derives the backward pass in its docstring, equation by equation, and
implements an operation as three functions and one line of wiring:

- ``x_forward`` computes the output and the residuals that the backward pass needs;
- ``x``, the public name, is a ``jax.custom_vjp`` that returns the first output of ``x_forward``;
- ``x_backward`` is the hand-derived gradient, one line per equation;
- ``x.defvjp(x_forward, x_backward)``, the last line, wires them together.

Throughout, ``dv`` is the cotangent of ``v``: the gradient of the scalar loss L with respect to
v, with the shape and dtype of v. Arrays have the batch axis first, images are (N, H, W, C),
kernels (KH, KW, C_in, C_out). Equation tags (1)-(25) are those of the report that this library
implements; a named tag, such as (conv.3), belongs to its chapter.

With x in bfloat16 or float16, parameters may stay in float32: they are cast inside, and their
gradients are accumulated and returned in float32 (the rule is in ``_arguments.py``).

In reading order: the report's dense layer (1)-(16), relu (17)-(19), softmax and its loss (20)-(23)
and (softmax.k), then

- convolution (conv.k), along a sequence (line.k) and transposed (transpose.k);
- pooling by maximum (pool.k), by average (avg.k), into given bins (adaptive.k);
- activations: leaky relu (leaky.k), sigmoid (sigmoid.k), what the others share (act.k), smooth ones
  (smooth.k), those in pieces (piecewise.k), gated ones (gated.k), log softmax (logsoftmax.k);
- normalisation by statistics of the batch (norm.k), of a position (layer.k), of groups of channels
  (group.k), by the root mean square (rms.k); standardised kernels (weight.k);
- dropout (dropout.k), addition of branches (add.k), scaling by a learned factor (scale.k);
- what changes an image's size: upsampling (upsample.k) and padding (pad.k).
"""

from ._activations import *
from ._adaptive_pool import *
from ._add import *
from ._avg_pool import *
from ._batch_norm import *
from ._conv import *
from ._conv1d import *
from ._conv_transpose import *
from ._dense import *
from ._dropout import *
from ._gated_activations import *
from ._group_norm import *
from ._layer_norm import *
from ._leaky_relu import *
from ._log_softmax import *
from ._pad import *
from ._piecewise_activations import *
from ._pool import *
from ._relu import *
from ._rms_norm import *
from ._scale import *
from ._sigmoid import *
from ._smooth_activations import *
from ._softmax_loss import *
from ._upsample import *
from ._weight_standardisation import *

__all__: list[str] = []
__all__ += _dense.__all__
__all__ += _relu.__all__
__all__ += _softmax_loss.__all__
__all__ += _conv.__all__
__all__ += _conv1d.__all__
__all__ += _conv_transpose.__all__
__all__ += _pool.__all__
__all__ += _avg_pool.__all__
__all__ += _adaptive_pool.__all__
__all__ += _leaky_relu.__all__
__all__ += _sigmoid.__all__
__all__ += _activations.__all__
__all__ += _smooth_activations.__all__
__all__ += _piecewise_activations.__all__
__all__ += _gated_activations.__all__
__all__ += _log_softmax.__all__
__all__ += _batch_norm.__all__
__all__ += _dropout.__all__
__all__ += _add.__all__
__all__ += _upsample.__all__
__all__ += _pad.__all__
__all__ += _scale.__all__
__all__ += _layer_norm.__all__
__all__ += _group_norm.__all__
__all__ += _rms_norm.__all__
__all__ += _weight_standardisation.__all__
