"""Muon: descent of kernels along the nearest orthogonal matrix to their momentum.

A kernel w of K outputs is seen as the matrix W with one column per output. With the gradient G,

    M_n = mu M_{n-1} + G,   G~ = G + mu M_n                                     (muon.1)
    W   <- sqrt(K) W / |W|                                                      (muon.2)
    W_{n+1} = W_n - alpha U V^T,   where G~ = U S V^T                           (muon.3)

where |.| is the root of the sum of squares, plus 1e-7 so that it is never 0. So every direction of
the momentum counts alike, and the norm of W stays put. U V^T is approached without decomposing, by
r steps of a polynomial that moves all singular values towards 1:

    X_0 = G~ / |G~|,   A = X X^T,   X <- a X + (b A + c A A) X                  (muon.4)

with a = 3.4445, b = -4.775, c = 2.0315: after three steps, singular values of 0.02 and more are
between 0.68 and 1.21, which is near enough. As A is the smaller of X X^T and X^T X, W is transposed
where it has more rows than columns. Source: Jordan et al. 2024.
"""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from ffnn_jax.optim._hyperparameters import require, scaled
from ffnn_jax.optim._momentum import MomentumState, at_rest

_A, _B, _C = 3.4445, -4.775, 2.0315
_LEAST_NORM = 1e-7


def muon(
    learning_rate: optax.ScalarOrSchedule, mu: float = 0.6, rounds: int = 3, dtype: str = "float32"
) -> optax.GradientTransformation:
    """Muon for kernels whose last axis is the outputs, equations (muon.1)-(muon.4).

    Args:
        learning_rate: alpha, a number, or a function of the number of updates so far.
        mu: momentum, at least 0 and below 1.
        rounds: r, at least 1.
        dtype: what (muon.4) is computed in.

    Returns:
        ``init(params)`` and ``update(grads, state, params)``, as of ``momentum``.

    Raises:
        ValueError: mu or rounds is out of range, or ``update`` is called without params.
    """
    require(mu, lambda mu: 0 <= mu < 1, "muon: mu must be at least 0 and below 1")
    require(rounds, lambda rounds: rounds >= 1, "muon: rounds must be at least 1")

    def update(
        grads: optax.Updates, state: MomentumState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, MomentumState]:
        if params is None:
            raise ValueError("muon: update needs params, whose norm it sets")
        alpha = learning_rate(state.step) if callable(learning_rate) else learning_rate
        m = jax.tree.map(lambda m, g: scaled(mu, m) + g, state.m, grads)  # (muon.1)

        def change(g: Array, m: Array, w: Array) -> Array:
            direction = orthogonalised(g + scaled(mu, m), rounds, dtype)  # (muon.1), (muon.4)
            longer = jnp.sqrt(jnp.asarray(w.shape[-1], w.dtype)) / _norm(w)  # (muon.2)
            return scaled(longer - 1, w) - scaled(alpha, direction)  # (muon.3)

        return jax.tree.map(change, grads, m, params), MomentumState(state.step + 1, m)

    return optax.GradientTransformation(at_rest, update)  # type: ignore[arg-type]


def orthogonalised(g: Float[Array, "..."], rounds: int, dtype: str) -> Float[Array, "..."]:
    """The array, as a matrix with one column per output, after (muon.4)."""
    x = (g / _norm(g)).reshape(-1, g.shape[-1]).astype(dtype)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    a, b, c = (jnp.asarray(factor, dtype) for factor in (_A, _B, _C))
    for _ in range(rounds):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x  # (muon.4)
    return (x.T if tall else x).reshape(g.shape).astype(g.dtype)


def _norm(array: Float[Array, "..."]) -> Float[Array, ""]:
    return jnp.sqrt(jnp.sum(jnp.square(array))) + jnp.asarray(_LEAST_NORM, array.dtype)
