"""Separate learning rates for groups of parameters, and groups that are trained for a while."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import PyTree

from ffnn_jax.optim._hyperparameters import scaled


def scale_by_group(factors: PyTree[float]) -> optax.GradientTransformation:
    """Multiplies each parameter's update by a factor.

    Args:
        factors: one factor per parameter.

    Returns:
        A stateless transformation. Chained after an optimiser, it multiplies the learning rate;
        before one that is linear in the gradients, the learning rate but for weight decay.
    """

    def update(updates: optax.Updates, state: Any, params: Any = None) -> tuple[Any, Any]:
        return jax.tree.map(lambda u, factor: scaled(factor, u), updates, factors), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def train_for(steps: PyTree[int]) -> optax.GradientTransformation:
    """Makes each parameter's update 0 after so many updates.

    Args:
        steps: one number of updates per parameter.

    Returns:
        A transformation to be chained after an optimiser; its state is the number of updates.
    """

    def update(updates: optax.Updates, state: Any, params: Any = None) -> tuple[Any, Any]:
        trained = jax.tree.map(lambda u, n: jnp.where(state < n, u, 0), updates, steps)
        return trained, state + 1

    return optax.GradientTransformation(lambda params: jnp.zeros((), jnp.int32), update)
