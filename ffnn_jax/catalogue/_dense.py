"""The dense layer, of one data point and of a batch."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._faults import Fault, added_narrowly, returning
from ffnn_jax.catalogue._op_spec import Case, OpSpec
from ffnn_jax.layers import (
    dense,
    dense_backward,
    dense_column,
    dense_column_backward,
    dense_column_forward,
)

Cotangents = tuple[Array, Array, Array]


def reference_dense_column(x: Array, w: Array, b: Array) -> Array:
    """Equation (1)."""
    return jnp.einsum("j,ji->i", x, w) + b


def _column_without_transpose(residuals: Any, dz: Array) -> Cotangents:
    _, dw, db = dense_column_backward(residuals, dz)
    _, w = residuals
    return dz @ w.reshape(w.shape[::-1]), dw, db


def _column_of_the_first_output(residuals: Any, dz: Array) -> Cotangents:
    _, dw, db = dense_column_backward(residuals, dz)
    _, w = residuals
    return w[:, 0] * dz[:1], dw, db


def _column_exchanged(residuals: Any, dz: Array) -> Cotangents:
    dx, dw, db = dense_column_backward(residuals, dz)
    x, _ = residuals
    return dx, (dz[:, None] * x[None, :]).reshape(dw.shape), db


def _column_delta_dropped(residuals: Any, dz: Array) -> Cotangents:
    dx, dw, db = dense_column_backward(residuals, dz)
    x, _ = residuals
    return dx, jnp.broadcast_to(x[:, None] * jnp.sum(dz).reshape(1, 1), dw.shape), db


def _column_forward_without_bias(x: Array, w: Array, b: Array) -> tuple[Array, Any]:
    return dense_column_forward(x, w, jnp.zeros_like(b))


DENSE_COLUMN = OpSpec(
    op=dense_column,
    reference=reference_dense_column,
    arguments=("D", "DxK", "K"),
    cases=(
        Case(sizes=({"D": 3, "K": 4}, {"D": 1, "K": 5}, {"D": 7, "K": 1}, {"D": 130, "K": 37})),
    ),
    linear=(0, 1, 2),
    exact=True,
    faults=(
        Fault("(4) without the transpose", _column_without_transpose),
        Fault("(3) not summed over the outputs", _column_of_the_first_output),
        Fault("(9) exchanged", _column_exchanged),
        Fault("delta dropped in (7): dz summed", _column_delta_dropped),
        Fault("db zero", returning(dense_column_backward, 2, jnp.zeros_like)),
        Fault("forward without b", forward=_column_forward_without_bias),
    ),
)


def reference_dense(x: Array, w: Array, b: Array) -> Array:
    """Equation (12)."""
    rows = x.reshape(x.shape[0], w.shape[0])
    return jnp.einsum("nj,ji->ni", rows, w) + jnp.broadcast_to(b, (x.shape[0], *b.shape))


def _without_transpose(residuals: Any, dz: Array) -> Cotangents:
    _, dw, db = dense_backward(residuals, dz)
    x, w = residuals
    return (dz @ w.reshape(w.shape[::-1])).reshape(x.shape), dw, db


def _exchanged(residuals: Any, dz: Array) -> Cotangents:
    dx, dw, db = dense_backward(residuals, dz)
    x, _ = residuals
    return dx, (dz.T @ x).reshape(dw.shape), db


def _bias_over_the_outputs(residuals: Any, dz: Array) -> Cotangents:
    dx, dw, db = dense_backward(residuals, dz)
    return dx, dw, jnp.resize(jnp.sum(dz, axis=1), db.shape)


def _bias_of_the_first_row(residuals: Any, dz: Array) -> Cotangents:
    dx, dw, _ = dense_backward(residuals, dz)
    return dx, dw, dz[0]


def _rows_averaged(residuals: Any, dz: Array) -> Cotangents:
    _, dw, db = dense_backward(residuals, dz)
    mean = jnp.broadcast_to(jnp.mean(dz, axis=0, keepdims=True), dz.shape)
    return dense_backward(residuals, mean)[0], dw, db


def _bias_added_narrowly(residuals: Any, dz: Array) -> Cotangents:
    dx, dw, _ = dense_backward(residuals, dz)
    return dx, dw, added_narrowly(dz)


def _weights_added_narrowly(residuals: Any, dz: Array) -> Cotangents:
    dx, _, db = dense_backward(residuals, dz)
    x, _ = residuals
    return dx, added_narrowly(x[:, :, None] * dz[:, None, :]), db


DENSE = OpSpec(
    op=dense,
    reference=reference_dense,
    arguments=("NxD", "DxK", "K"),
    cases=(
        Case(
            sizes=(
                {"N": 3, "D": 4, "K": 5},
                {"N": 1, "D": 7, "K": 2},
                {"N": 11, "D": 1, "K": 9},
                {"N": 3000, "D": 3, "K": 40},
            )
        ),
    ),
    batch="N",
    linear=(0, 1, 2),
    exact=True,
    empty_batch=True,
    faults=(
        Fault("(14) without the transpose", _without_transpose),
        Fault("(15) exchanged", _exchanged),
        Fault("db of the first row", _bias_of_the_first_row),
        Fault("db over the outputs", _bias_over_the_outputs),
        Fault("dx of the mean dz", _rows_averaged),
        Fault("db summed in half precision", _bias_added_narrowly, many=True),
        Fault("dw summed in half precision", _weights_added_narrowly, many=True),
    ),
)
