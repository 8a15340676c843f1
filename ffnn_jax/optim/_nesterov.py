"""Gradient descent with Nesterov's momentum, as deep-learning libraries write it.

With the gradient g, the parameters w, the weight decay lambda and the learning rate alpha,

    g~      = g + lambda w                                                      (nesterov.1)
    m_n     = mu m_{n-1} + g~                                                   (nesterov.2)
    w_{n+1} = w_n - alpha (g~ + mu m_n)                                         (nesterov.3)

from m_0 = 0. Unlike (24), m is a sum and not an average: for a constant gradient the steps are
1 / (1 - mu) times as long. Source: Sutskever et al. 2013, in the form whose gradient is taken at w.
"""

import jax
import optax
from jaxtyping import Array, PyTree

from ffnn_jax.optim._hyperparameters import require, scaled
from ffnn_jax.optim._momentum import MomentumState, at_rest, decay_mask


def nesterov(
    learning_rate: optax.ScalarOrSchedule,
    mu: float = 0.9,
    weight_decay: float = 0.0,
    decayed: PyTree[bool] | None = None,
) -> optax.GradientTransformation:
    """Gradient descent with Nesterov's momentum, equations (nesterov.1)-(nesterov.3).

    Equal to ``optax.chain(add_decayed_weights(weight_decay, decayed), trace(mu, nesterov=True),
    scale_by_learning_rate(learning_rate))``. Arguments, result and errors are those of
    ``momentum``.
    """
    require(mu, lambda mu: 0 <= mu < 1, "nesterov: mu must be at least 0 and below 1")
    finite = "nesterov: weight_decay must be at least 0 and finite"
    require(weight_decay, lambda decay: 0 <= decay < float("inf"), finite)

    def update(
        grads: optax.Updates, state: MomentumState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, MomentumState]:
        if params is None:
            raise ValueError("nesterov: update needs params, since weight decay reads them")
        alpha = learning_rate(state.step) if callable(learning_rate) else learning_rate

        def with_decay(g: Array, w: Array, decays: bool) -> Array:
            return g + scaled(weight_decay, w) if decays else g

        g = jax.tree.map(with_decay, grads, params, decay_mask(params, decayed))  # (nesterov.1)
        m = jax.tree.map(lambda m, g: scaled(mu, m) + g, state.m, g)  # (nesterov.2)
        updates = jax.tree.map(lambda g, m: -scaled(alpha, g + scaled(mu, m)), g, m)  # (nesterov.3)
        return updates, MomentumState(state.step + 1, m)

    return optax.GradientTransformation(at_rest, update)  # type: ignore[arg-type]
