"""The dense layer, for a single data point and for a batch."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._faults import Fault, change_cotangent, sum_in_own_dtype
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


def _column_first_output_only(residuals: Any, dz: Array) -> Cotangents:
    _, dw, db = dense_column_backward(residuals, dz)
    _, w = residuals
    return w[:, 0] * dz[:1], dw, db


def _column_swapped(residuals: Any, dz: Array) -> Cotangents:
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
        Fault("transpose left out of (4)", _column_without_transpose),
        Fault("sum over the outputs left out of (3)", _column_first_output_only),
        Fault("x and dz swapped in (9)", _column_swapped),
        Fault("delta left out of (7)", _column_delta_dropped),
        Fault("db set to zero", change_cotangent(dense_column_backward, 2, jnp.zeros_like)),
        Fault("b left out of the forward", forward=_column_forward_without_bias),
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


def _swapped(residuals: Any, dz: Array) -> Cotangents:
    dx, dw, db = dense_backward(residuals, dz)
    x, _ = residuals
    return dx, (dz.T @ x).reshape(dw.shape), db


def _bias_over_the_outputs(residuals: Any, dz: Array) -> Cotangents:
    dx, dw, db = dense_backward(residuals, dz)
    return dx, dw, jnp.resize(jnp.sum(dz, axis=1), db.shape)


def _bias_from_the_first_row(residuals: Any, dz: Array) -> Cotangents:
    dx, dw, _ = dense_backward(residuals, dz)
    return dx, dw, dz[0]


def _dx_of_the_mean(residuals: Any, dz: Array) -> Cotangents:
    _, dw, db = dense_backward(residuals, dz)
    mean = jnp.broadcast_to(jnp.mean(dz, axis=0, keepdims=True), dz.shape)
    return dense_backward(residuals, mean)[0], dw, db


def _bias_in_half_precision(residuals: Any, dz: Array) -> Cotangents:
    dx, dw, _ = dense_backward(residuals, dz)
    return dx, dw, sum_in_own_dtype(dz)


def _weights_in_half_precision(residuals: Any, dz: Array) -> Cotangents:
    dx, _, db = dense_backward(residuals, dz)
    x, _ = residuals
    return dx, sum_in_own_dtype(x[:, :, None] * dz[:, None, :]), db


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
        Fault("transpose left out of (14)", _without_transpose),
        Fault("x and dz swapped in (15)", _swapped),
        Fault("db from the first row only", _bias_from_the_first_row),
        Fault("db summed over the outputs", _bias_over_the_outputs),
        Fault("dx from the mean of dz", _dx_of_the_mean),
        Fault("db summed in half precision", _bias_in_half_precision, many=True),
        Fault("dw summed in half precision", _weights_in_half_precision, many=True),
    ),
)
