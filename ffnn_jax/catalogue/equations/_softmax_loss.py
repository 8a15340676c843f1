"""The equations of softmax and of the softmax loss, of every class and of distributions."""

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._softmax import reference_softmax
from ffnn_jax.catalogue._softmax_loss import reference_softmax_cross_entropy
from ffnn_jax.catalogue.equations._equation import Equation, cotangent, derivative
from ffnn_jax.layers import softmax, softmax_cross_entropy
from ffnn_jax.layers._softmax_loss import _log_softmax, _weighted_targets

Weights = tuple[float, ...]
_ROW, _BATCH, _FEW = {"K": 3}, {"N": 2, "K": 3}, {"N": 3, "K": 2}
_S, _W, _W_FEW = 0.25, (0.5, 2.0, 1.25), (0.5, 2.0)


def _delta(x: Array, c: Array) -> Array:
    """delta_ci as an array over i."""
    return jnp.eye(len(x))[c[0]]


def _loss(x: Array, c: Array) -> Array:
    """L of one data point."""
    return -jnp.dot(_delta(x, c), jnp.log(reference_softmax(x)))


def _smoothed_loss(x: Array, y: Array) -> Array:
    return reference_softmax_cross_entropy(x, y, _S, _W)


def _t(y: Array) -> Array:
    return (1 - _S) * y + _S / y.shape[1]


def _q(y: Array, w: Weights = _W) -> Array:
    return jnp.einsum("k,nk->nk", jnp.array(w), _t(y))


def _divisor(labels: Array, x: Array, weights: Weights | None) -> Array:
    return jnp.asarray(_weighted_targets(labels, x, _S, weights)[2], float)


def _with_delta(z: Array) -> Array:
    """z_j (delta_ij - z_i), an array over j and i."""
    return jnp.einsum("j,ij->ji", z, jnp.eye(len(z))) - jnp.einsum("j,i->ji", z, z)


def _loss_of_classes(x: Array, c: Array, w: Weights) -> Array:
    """(softmax.4) by (softmax.5)."""
    q = _q(jnp.eye(len(w))[c], w)
    return -1 / jnp.sum(jnp.array(w)[c]) * jnp.einsum("nk,nk->", q, jnp.log(reference_softmax(x)))


EQUATIONS = (
    Equation(
        "20", "z_i = exp(x_i) / sum_j exp(x_j)",
        softmax, lambda x: jnp.exp(x) / jnp.sum(jnp.exp(x)), "K", _ROW,
    ),
    Equation(
        "21", "L = -log z_c = -x_c + log sum_j exp(x_j)",
        lambda x, c: softmax_cross_entropy(x[None, :], c),
        lambda x, c: (
            -jnp.log(reference_softmax(x))[c[0]], -x[c[0]] + jnp.log(jnp.sum(jnp.exp(x)))
        ),
        "K 1:int<K", _ROW,
    ),
    Equation(
        "22", "dL/dx_i = -delta_ci + exp(x_i) / sum_j exp(x_j) = z_i - delta_ci",
        derivative(_loss),
        lambda x, c: (
            -_delta(x, c) + jnp.exp(x) / jnp.sum(jnp.exp(x)), softmax(x) - _delta(x, c)
        ),
        "K 1:int<K", _ROW,
    ),
    Equation(
        "23", "L = 1/N sum_n L(x^(n), c^(n))",
        softmax_cross_entropy,
        lambda x, c: 1 / len(c) * sum(_loss(x[n], c[n : n + 1]) for n in range(len(c))),
        "NxK N:int<K", _FEW,
    ),
    Equation(
        "softmax.1",
        "dx_i = sum_j dz_j z_j (delta_ij - z_i) = z_i (dz_i - sum_j dz_j z_j)",
        cotangent(reference_softmax),
        lambda x, dz: (
            jnp.einsum("j,ji->i", dz, _with_delta(reference_softmax(x))),
            reference_softmax(x) * (dz - jnp.sum(dz * reference_softmax(x))),
        ),
        "K K", _ROW,
    ),
    Equation(
        "softmax.2", "t_nk = (1 - s) y_nk + s / K",
        lambda y: _weighted_targets(y, y, _S, None)[0], _t, "NxK", _BATCH,
    ),
    Equation(
        "softmax.3", "q_nk = w_k t_nk",
        lambda y: _weighted_targets(y, y, _S, _W)[0], _q, "NxK", _BATCH,
    ),
    Equation(
        "softmax.4", "L = -1/D sum_n sum_k q_nk log z_nk",
        lambda x, c: softmax_cross_entropy(x, c, _S, _W_FEW),
        lambda x, c: _loss_of_classes(x, c, _W_FEW), "NxK N:int<K", _FEW,
    ),
    Equation(
        "softmax.5", "D = sum_n w_c(n) for weighted classes c(n), and otherwise N",
        lambda x, c: (_divisor(c, x, _W), _divisor(c, x, None), _divisor(x, x, _W)),
        lambda x, c: (jnp.sum(jnp.array(_W)[c]), *(jnp.array(float(len(x))),) * 2),
        "NxK N:int<K", _BATCH,
    ),
    Equation(
        "softmax.6", "log z_k = x_k - log sum_j exp(x_j)",
        lambda x: _log_softmax(x)[1], lambda x: x - jnp.log(jnp.sum(jnp.exp(x))), "K", _ROW,
    ),
    Equation(
        "softmax.7", "dx_ni = dL/D (z_ni sum_k q_nk - q_ni)",
        cotangent(_smoothed_loss),
        lambda x, y, dloss: dloss / len(y) * (
            jnp.einsum("ni,nk->ni", reference_softmax(x), _q(y)) - _q(y)
        ),
        "NxK NxK :", _BATCH,
    ),
    Equation(
        "softmax.8", "dy_nk = -dL/N (1 - s) w_k log z_nk",
        cotangent(_smoothed_loss, 1),
        lambda x, y, dloss: -dloss / len(y) * (1 - _S) * jnp.einsum(
            "k,nk->nk", jnp.array(_W), jnp.log(reference_softmax(x))
        ),
        "NxK NxK :", _BATCH,
    ),
)  # fmt: skip
