"""A step of an update rule, as a function of arrays."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from ffnn_jax.optim import MomentumState


def step(rule: Any, m: Array, g: Array, w: Array) -> tuple[Array, Array]:
    """The momentum and the parameters after an update with the gradient g."""
    update, state = rule.update(g, MomentumState(jnp.zeros((), jnp.int32), m), w)
    return state.m, w + update
