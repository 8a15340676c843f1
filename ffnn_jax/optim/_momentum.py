"""Gradient descent with momentum: equations (24) and (25).

m is a moving average of the gradients g of the loss, w the parameters, alpha the learning rate:

    m_n     = mu m_{n-1} + (1 - mu) g                                           (24)
    w_{n+1} = w_n - alpha m_n                                                   (25)

Both start at m_0 = 0. Weight decay is not in the report's equations; its code adds it to (25),
outside the moving average and for every decayed parameter, including biases:

    w_{n+1} = w_n - alpha (m_n + lambda w_n)                                    (25)

lambda w is the gradient of the decay's own loss term, which is reported beside the data loss and
never differentiated automatically:

    R = lambda/2 sum w^2                                                        (25)
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int32, PyTree

from ffnn_jax.optim._hyperparameters import require, scaled


class MomentumState(NamedTuple):
    """The number of updates so far, which a schedule reads, and the moving average m of (24)."""

    step: Int32[Array, ""]
    m: PyTree[Float[Array, "..."]]


def momentum(
    learning_rate: optax.ScalarOrSchedule,
    mu: float = 0.9,
    weight_decay: float = 0.0,
    decayed: PyTree[bool] | None = None,
) -> optax.GradientTransformation:
    """Gradient descent with momentum, equations (24) and (25).

    Equal to ``optax.chain(ema(mu, debias=False), add_decayed_weights(weight_decay, decayed),
    scale_by_learning_rate(learning_rate))``.

    Args:
        learning_rate: alpha, a number, or a function of the number of updates so far.
        mu: smoothness of the moving average, at least 0 (no averaging) and below 1.
        weight_decay: lambda, at least 0.
        decayed: True or False for each parameter; by default, all decay.

    Returns:
        ``init(params)`` and ``update(grads, state, params)``; the update is what
        ``optax.apply_updates`` adds to the parameters.

    Raises:
        ValueError: mu or weight_decay is out of range, or ``update`` is called without params.
    """
    require(mu, lambda mu: 0 <= mu < 1, "momentum: mu must be at least 0 and below 1")
    finite = "momentum: weight_decay must be at least 0 and finite"
    require(weight_decay, lambda decay: 0 <= decay < float("inf"), finite)

    def update(
        grads: optax.Updates, state: MomentumState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, MomentumState]:
        if params is None:
            raise ValueError("momentum: update needs params, since weight decay reads them")
        alpha = learning_rate(state.step) if callable(learning_rate) else learning_rate
        m = jax.tree.map(lambda m, g: scaled(mu, m) + scaled(1 - mu, g), state.m, grads)  # (24)

        def change(m: Array, w: Array, decays: bool) -> Array:
            return -scaled(alpha, m + scaled(weight_decay, w) if decays else m)

        updates = jax.tree.map(change, m, params, decay_mask(params, decayed))  # (25)
        return updates, MomentumState(state.step + 1, m)

    return optax.GradientTransformation(at_rest, update)  # type: ignore[arg-type]


def at_rest(params: optax.Params) -> MomentumState:
    """The state before the first update: m_0 = 0."""
    return MomentumState(jnp.zeros((), jnp.int32), jax.tree.map(jnp.zeros_like, params))


def decay_loss(
    params: optax.Params, weight_decay: float, decayed: PyTree[bool] | None = None
) -> Float[Array, ""]:
    """The loss term R = weight_decay/2 sum w^2 of weight decay, for display only; see (25)."""
    pairs = zip(jax.tree.leaves(params), jax.tree.leaves(decay_mask(params, decayed)), strict=True)
    squares = [jnp.sum(jnp.square(w)) for w, decays in pairs if decays]
    if not squares:
        return jnp.zeros((), jax.tree.leaves(params)[0].dtype)
    return scaled(weight_decay / 2, jnp.asarray(sum(squares)))


def decay_mask(params: optax.Params, decayed: PyTree[bool] | None) -> PyTree[bool]:
    """``decayed``, or True for every parameter if it is None."""
    return jax.tree.map(lambda w: True, params) if decayed is None else decayed
