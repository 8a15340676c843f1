"""The dense layer, of one data point and of a batch."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue import _plain
from ffnn_jax.catalogue._entry import Case, Entry, Fault
from ffnn_jax.catalogue._faults import (
    added_narrowly,
    detached,
    given,
    last_row_off,
    left_wide,
    one_entry_off,
    returning,
    scaled,
)
from ffnn_jax.layers import (
    dense,
    dense_backward,
    dense_column,
    dense_column_backward,
    dense_column_forward,
    dense_forward,
)

Cotangents = tuple[Array, Array, Array]


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


DENSE_COLUMN = Entry(
    name="dense_column",
    op=dense_column,
    forward=dense_column_forward,
    backward=dense_column_backward,
    reference=_plain.dense_column,
    arguments=("D", "DxK", "K"),
    cases=(
        Case(sizes=({"D": 3, "K": 4}, {"D": 1, "K": 5}, {"D": 7, "K": 1}, {"D": 130, "K": 37})),
    ),
    linear=(0, 1, 2),
    exact=True,
    faults=(
        Fault("dx by 1.0001", scaled(dense_column_backward, 0)),
        Fault("dw by 1.0001", scaled(dense_column_backward, 1)),
        Fault("db by 1.0001", scaled(dense_column_backward, 2)),
        Fault("dz replaced by ones", given(dense_column_backward, jnp.ones_like)),
        Fault("(4) without the transpose", _column_without_transpose),
        Fault("(3) not summed over the outputs", _column_of_the_first_output),
        Fault("(9) exchanged", _column_exchanged),
        Fault("delta dropped in (7): dz summed", _column_delta_dropped),
        Fault("db zero", returning(dense_column_backward, 2, jnp.zeros_like)),
        Fault("dw off in one entry", returning(dense_column_backward, 1, one_entry_off)),
        Fault("residuals detached", detached(dense_column_backward)),
        Fault("dx left in float32", returning(dense_column_backward, 0, left_wide)),
        Fault("forward without b", forward=_column_forward_without_bias),
    ),
)


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


def _bias_averaged(residuals: Any, dz: Array) -> Cotangents:
    dx, dw, _ = dense_backward(residuals, dz)
    return dx, dw, jnp.mean(dz, axis=0)


def _weights_averaged(residuals: Any, dz: Array) -> Cotangents:
    dx, dw, db = dense_backward(residuals, dz)
    return dx, dw / dz.shape[0], db


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


DENSE = Entry(
    name="dense",
    op=dense,
    forward=dense_forward,
    backward=dense_backward,
    reference=_plain.dense,
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
        Fault("dx by 1.0001", scaled(dense_backward, 0)),
        Fault("dw by 1.0001", scaled(dense_backward, 1)),
        Fault("db by 1.0001", scaled(dense_backward, 2)),
        Fault("dz replaced by ones", given(dense_backward, jnp.ones_like)),
        Fault("(14) without the transpose", _without_transpose),
        Fault("(15) exchanged", _exchanged),
        Fault("dw averaged", _weights_averaged),
        Fault("db averaged", _bias_averaged),
        Fault("db of the first row", _bias_of_the_first_row),
        Fault("db over the outputs", _bias_over_the_outputs),
        Fault("dx of the mean dz", _rows_averaged),
        Fault("dx off in the last row", returning(dense_backward, 0, last_row_off)),
        Fault("dw off in one entry", returning(dense_backward, 1, one_entry_off)),
        Fault("residuals detached", detached(dense_backward)),
        Fault("dw left in float32", returning(dense_backward, 1, left_wide)),
        Fault("db summed in half precision", _bias_added_narrowly, many=True),
        Fault("dw summed in half precision", _weights_added_narrowly, many=True),
    ),
)
