"""The dense layer: equations (1)-(16).

The report writes a data point as a column x of m numbers and a batch as X with N columns; this
library puts the batch first. So ``x`` here is X^T (N, D), ``w`` is W^T (D, K), ``z`` is Z^T
(N, K), with D = m inputs and K = n outputs, and every product below is the report's, transposed.

E1: one column
--------------
    z_i = sum_j W_ij x_j + b_i                                                  (1)

Differentiate (1); the summation index is bound, so call the free output index l:

    dz_l/dx_i  = W_li                                                           (2)
    dz_l/dW_ij = delta_il x_j                                                   (5)
    dz_l/db_i  = delta_il                                                       (6)

The chain rule sums over every output l that a quantity touches. x_i touches all of them:

    dx_i = sum_l dz_l W_li                                                      (3)
    dx   = W^T dz                                                               (4)

W_ij and b_i touch only output i, and delta_il picks that one term out of the sum; i stays free:

    dW_ij = sum_l dz_l delta_il x_j = dz_i x_j                                  (7)
    db_i  = sum_l dz_l delta_il     = dz_i                                      (8)
    dW    = dz x^T, an outer product                                            (9)
    db    = dz                                                                  (10)

E2: a batch
-----------
    Z = (W x^(1) + b, ..., W x^(N) + b)                                         (11)
      = W X + b 1^T                                                             (12)

Column l of Z depends on column l of X alone, so (4) holds column by column:

    dX = (dx^(1), ..., dx^(N))                                                  (13)
       = (W^T dz^(1), ..., W^T dz^(N)) = W^T dZ                                 (14)

W and b touch every column, so (7) and (8) are summed over the batch index l:

    dW_ij = sum_l dz_i^(l) x_j^(l),   dW = sum_l dz^(l) x^(l)T = dZ X^T         (15)
    db_i  = sum_l dz_i^(l),           db = sum_l dz^(l)        = dZ 1           (16)

The report's last sums in (7), (8), (15) and (16) run over the free index i; they are derived
again here. The bias is broadcast over the batch in (12), so it is summed over it in (16).

``dense`` flattens all axes after the batch axis, and returns ``dx`` in the shape of ``x``.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ffnn_jax.layers._arguments import (
    accumulation_dtype,
    cast_to_compute,
    product,
    require,
    require_parameters,
    upcast,
)

__all__ = [
    "dense",
    "dense_backward",
    "dense_column",
    "dense_column_backward",
    "dense_column_forward",
    "dense_forward",
]

ColumnResiduals = tuple[Float[Array, " D"], Float[Array, "D K"]]
DenseResiduals = tuple[Float[Array, "N ..."], Float[Array, "D K"]]


def dense_column_forward(
    x: Float[Array, " D"], w: Float[Array, "D K"], b: Float[Array, " K"]
) -> tuple[Float[Array, " K"], ColumnResiduals]:
    """Returns z and the residuals (x, w), which are all that (4) and (9) need."""
    _require_shapes("dense_column", x, w, b, batched=False)
    z = product(x, cast_to_compute(w, x)) + upcast(b)  # (1)
    return z.astype(x.dtype), (x, w)


@jax.custom_vjp
def dense_column(
    x: Float[Array, " D"], w: Float[Array, "D K"], b: Float[Array, " K"]
) -> Float[Array, " K"]:
    """The dense layer for one data point, E1: z = W x + b.

    Args:
        x: one data point.
        w: weights, one column per output, in x's dtype, or float32 if x is narrower.
        b: biases, in w's dtype.

    Returns:
        The outputs z, equation (1), in x's dtype.

    Raises:
        ValueError: shapes or dtypes do not match, or x is not floating-point.
    """
    return dense_column_forward(x, w, b)[0]


def dense_column_backward(
    residuals: ColumnResiduals, dz: Float[Array, " K"]
) -> tuple[Float[Array, " D"], Float[Array, "D K"], Float[Array, " K"]]:
    """Returns (dx, dw, db) for one data point, equations (4), (9) and (10)."""
    x, w = residuals
    dx = product(cast_to_compute(w, x), dz)  # (4)
    dw = upcast(x)[:, None] * upcast(dz)[None, :]  # (9)
    db = dz  # (10)
    return dx.astype(x.dtype), dw.astype(w.dtype), db.astype(w.dtype)


dense_column.defvjp(dense_column_forward, dense_column_backward)


def dense_forward(
    x: Float[Array, "N ..."], w: Float[Array, "D K"], b: Float[Array, " K"]
) -> tuple[Float[Array, "N K"], DenseResiduals]:
    """Returns z and the residuals (x, w), which are all that (14) and (15) need."""
    _require_shapes("dense", x, w, b, batched=True)
    rows = x.reshape(x.shape[0], w.shape[0])
    z = product(rows, cast_to_compute(w, x)) + upcast(b)[None, :]  # (12)
    return z.astype(x.dtype), (x, w)


@jax.custom_vjp
def dense(
    x: Float[Array, "N ..."], w: Float[Array, "D K"], b: Float[Array, " K"]
) -> Float[Array, "N K"]:
    """The dense layer for a batch, E2: Z = W X + b 1^T.

    Args:
        x: N data points of D numbers each, in any shape after the batch axis.
        w: weights, one column per output, in x's dtype, or float32 if x is narrower.
        b: biases, in w's dtype.

    Returns:
        The outputs z, equation (12), in x's dtype.

    Raises:
        ValueError: shapes or dtypes do not match, or x is not floating-point.
    """
    return dense_forward(x, w, b)[0]


def dense_backward(
    residuals: DenseResiduals, dz: Float[Array, "N K"]
) -> tuple[Float[Array, "N ..."], Float[Array, "D K"], Float[Array, " K"]]:
    """Returns (dx, dw, db) for a batch, equations (14), (15) and (16)."""
    x, w = residuals
    rows = x.reshape(x.shape[0], w.shape[0])
    dx = product(dz, cast_to_compute(w, x).T)  # (14)
    dw = product(rows.T, dz)  # (15)
    db = jnp.sum(dz, axis=0, dtype=accumulation_dtype(dz))  # (16)
    return dx.reshape(x.shape).astype(x.dtype), dw.astype(w.dtype), db.astype(w.dtype)


def _require_shapes(function: str, x: Array, w: Array, b: Array, batched: bool) -> None:
    require_parameters(function, x, w=w, b=b)
    require(w.ndim == 2, function, "w", "of shape (D, K)", w.shape)
    features, outputs = w.shape
    require(b.shape == (outputs,), function, "b", f"of shape ({outputs},)", b.shape)
    if batched:
        fits = x.ndim >= 2 and math.prod(x.shape[1:]) == features
        require(fits, function, "x", f"of shape (N, ...) with {features} numbers per row", x.shape)
    else:
        require(x.shape == (features,), function, "x", f"of shape ({features},)", x.shape)


dense.defvjp(dense_forward, dense_backward)
