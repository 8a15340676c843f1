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

Reading order: dense (1)-(16), relu (17)-(19), softmax and its loss (20)-(23), convolution
(conv.1)-(conv.8), max pooling (pool.1)-(pool.6), average pooling (avg.1)-(avg.4), adaptive and
global pooling (adaptive.1)-(adaptive.7), leaky relu (leaky.1)-(leaky.3), sigmoid
(sigmoid.1)-(sigmoid.6), batch normalisation (norm.1)-(norm.16), dropout (dropout.1)-(dropout.4),
addition of branches (add.1)-(add.4).
"""

from ._adaptive_pool import *
from ._add import *
from ._avg_pool import *
from ._batch_norm import *
from ._conv import *
from ._dense import *
from ._dropout import *
from ._leaky_relu import *
from ._pool import *
from ._relu import *
from ._sigmoid import *
from ._softmax_loss import *

__all__: list[str] = []
__all__ += _dense.__all__
__all__ += _relu.__all__
__all__ += _softmax_loss.__all__
__all__ += _conv.__all__
__all__ += _pool.__all__
__all__ += _avg_pool.__all__
__all__ += _adaptive_pool.__all__
__all__ += _leaky_relu.__all__
__all__ += _sigmoid.__all__
__all__ += _batch_norm.__all__
__all__ += _dropout.__all__
__all__ += _add.__all__
