"""Separate learning rates for groups of parameters: the update of (25) times a factor."""

from typing import Any

import jax
import optax
from jaxtyping import PyTree

from ffnn_jax.optim._hyperparameters import scaled


def scale_by_group(factors: PyTree[float]) -> optax.GradientTransformation:
    """Multiplies each parameter's update, and so its learning rate, by a factor.

    Args:
        factors: one factor per parameter.

    Returns:
        A stateless transformation, to be chained after an optimiser.
    """

    def update(updates: optax.Updates, state: Any, params: Any = None) -> tuple[Any, Any]:
        return jax.tree.map(lambda u, factor: scaled(factor, u), updates, factors), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)
