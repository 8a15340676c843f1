"""The equations of the dense layer in the report's notation: w is W, and x has N columns."""

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._dense import reference_dense, reference_dense_column
from ffnn_jax.catalogue.equations._equation import Equation, cotangent, derivative
from ffnn_jax.layers import dense, dense_column

_ONE, _BATCH = {"D": 3, "K": 2}, {"N": 4, "D": 3, "K": 2}


def _column(x: Array, w: Array, b: Array) -> Array:
    return reference_dense_column(x, w.T, b)


def _columns(x: Array, w: Array, b: Array) -> Array:
    return reference_dense(x.T, w.T, b).T


EQUATIONS = (
    Equation(
        "1", "z_i = sum_j W_ij x_j + b_i",
        lambda x, w, b: dense_column(x, w.T, b),
        lambda x, w, b: jnp.einsum("ij,j->i", w, x) + b, "D KxD K", _ONE,
    ),
    Equation(
        "2", "dz_l/dx_i = W_li",
        derivative(_column), lambda x, w, b: jnp.einsum("li->li", w), "D KxD K", _ONE,
    ),
    Equation(
        "5", "dz_l/dW_ij = delta_il x_j",
        derivative(_column, 1), lambda x, w, b: jnp.einsum("il,j->lij", jnp.eye(len(b)), x),
        "D KxD K", _ONE,
    ),
    Equation(
        "6", "dz_l/db_i = delta_il",
        derivative(_column, 2), lambda x, w, b: jnp.einsum("il->li", jnp.eye(len(b))),
        "D KxD K", _ONE,
    ),
    Equation(
        "3", "dx_i = sum_l dz_l W_li",
        cotangent(_column), lambda x, w, b, dz: jnp.einsum("l,li->i", dz, w), "D KxD K K", _ONE,
    ),
    Equation(
        "4", "dx = W^T dz",
        cotangent(_column), lambda x, w, b, dz: w.T @ dz, "D KxD K K", _ONE,
    ),
    Equation(
        "7", "dW_ij = sum_l dz_l delta_il x_j = dz_i x_j",
        cotangent(_column, 1),
        lambda x, w, b, dz: (
            jnp.einsum("l,il,j->ij", dz, jnp.eye(len(b)), x), jnp.einsum("i,j->ij", dz, x)
        ),
        "D KxD K K", _ONE,
    ),
    Equation(
        "8", "db_i = sum_l dz_l delta_il = dz_i",
        cotangent(_column, 2),
        lambda x, w, b, dz: (jnp.einsum("l,il->i", dz, jnp.eye(len(b))), dz), "D KxD K K", _ONE,
    ),
    Equation(
        "9", "dW = dz x^T, an outer product",
        cotangent(_column, 1), lambda x, w, b, dz: dz[:, None] @ x[None, :], "D KxD K K", _ONE,
    ),
    Equation(
        "10", "db = dz",
        cotangent(_column, 2), lambda x, w, b, dz: dz, "D KxD K K", _ONE,
    ),
    Equation(
        "11", "Z = (W x^(1) + b, ..., W x^(N) + b)",
        lambda x, w, b: dense(x.T, w.T, b).T,
        lambda x, w, b: jnp.stack([w @ column + b for column in x.T], axis=1), "DxN KxD K", _BATCH,
    ),
    Equation(
        "12", "= W X + b 1^T",
        lambda x, w, b: dense(x.T, w.T, b).T,
        lambda x, w, b: w @ x + b[:, None] @ jnp.ones((1, x.shape[1])), "DxN KxD K", _BATCH,
    ),
    Equation(
        "13", "dX = (dx^(1), ..., dx^(N))",
        cotangent(_columns),
        lambda x, w, b, dz: jnp.stack(
            [cotangent(_column)(x[:, n], w, b, dz[:, n]) for n in range(x.shape[1])], axis=1
        ),
        "DxN KxD K KxN", _BATCH,
    ),
    Equation(
        "14", "= (W^T dz^(1), ..., W^T dz^(N)) = W^T dZ",
        cotangent(_columns),
        lambda x, w, b, dz: (jnp.stack([w.T @ column for column in dz.T], axis=1), w.T @ dz),
        "DxN KxD K KxN", _BATCH,
    ),
    Equation(
        "15", "dW_ij = sum_l dz_i^(l) x_j^(l), dW = sum_l dz^(l) x^(l)T = dZ X^T",
        cotangent(_columns, 1),
        lambda x, w, b, dz: (
            jnp.einsum("il,jl->ij", dz, x),
            sum(dz[:, [n]] @ x[:, [n]].T for n in range(x.shape[1])),
            dz @ x.T,
        ),
        "DxN KxD K KxN", _BATCH,
    ),
    Equation(
        "16", "db_i = sum_l dz_i^(l), db = sum_l dz^(l) = dZ 1",
        cotangent(_columns, 2),
        lambda x, w, b, dz: (jnp.einsum("il->i", dz), sum(dz.T), dz @ jnp.ones(dz.shape[1])),
        "DxN KxD K KxN", _BATCH,
    ),
)  # fmt: skip
