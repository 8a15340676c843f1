"""The mathematics: every layer forward, and its gradient derived by hand.

Each file is a chapter. It derives the backward in its docstring, equation by equation, and
holds an operation as three functions and one line of wiring:

- ``x_forward`` computes the output and the residuals that the backward will need;
- ``x`` is the first output of ``x_forward``; the public name, a ``jax.custom_vjp``;
- ``x_backward`` is the hand-derived gradient, one line an equation;
- ``x.defvjp(x_forward, x_backward)`` wires them, as the last line.

Throughout, ``dv`` is the cotangent of ``v``: the gradient of the scalar loss L with respect to
v, with the shape and the dtype of v. Arrays have the batch first, images are (N, H, W, C),
kernels (KH, KW, C_in, C_out). Equation tags (1)-(25) are those of the report that this library
implements; a tag with a name, such as (conv.3), is its own chapter's.

Reading order: dense (1)-(16), relu (17)-(19), softmax and its loss (20)-(23), convolution
(conv.1)-(conv.8), max pooling (pool.1)-(pool.4), leaky relu (leaky.1)-(leaky.3), sigmoid
(sigmoid.1)-(sigmoid.6).
"""

from ffnn_jax.layers._conv import conv2d, conv2d_backward, conv2d_forward
from ffnn_jax.layers._dense import (
    dense,
    dense_backward,
    dense_column,
    dense_column_backward,
    dense_column_forward,
    dense_forward,
)
from ffnn_jax.layers._leaky_relu import leaky_relu, leaky_relu_backward, leaky_relu_forward
from ffnn_jax.layers._pool import max_pool, max_pool_backward, max_pool_forward
from ffnn_jax.layers._relu import relu, relu_backward, relu_forward
from ffnn_jax.layers._sigmoid import sigmoid, sigmoid_backward, sigmoid_forward
from ffnn_jax.layers._softmax_loss import (
    softmax,
    softmax_backward,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
    softmax_forward,
)

__all__ = [
    "conv2d",
    "conv2d_backward",
    "conv2d_forward",
    "dense",
    "dense_backward",
    "dense_column",
    "dense_column_backward",
    "dense_column_forward",
    "dense_forward",
    "leaky_relu",
    "leaky_relu_backward",
    "leaky_relu_forward",
    "max_pool",
    "max_pool_backward",
    "max_pool_forward",
    "relu",
    "relu_backward",
    "relu_forward",
    "sigmoid",
    "sigmoid_backward",
    "sigmoid_forward",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
    "softmax_cross_entropy_forward",
    "softmax_forward",
]
