"""Schedules: the learning rate alpha of (25) as a function of the updates so far.

Of T updates the first r = T/5, rounded up, raise the rate linearly to its peak, and the others
lower it linearly; the line reaches 0 one update after the last. For n = 0, ..., T - 1,

    alpha_n = peak min((n + 1) / r, (T - n) / (T - r))                          (schedule.1)

so the first update has rate peak / r, and both update r - 1 and update r have the peak rate. Before
and after these updates the rate is that of the first and of the last.
"""

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int32

from ffnn_jax.optim._hyperparameters import require


def triangular(peak: float, steps: int) -> optax.Schedule:
    """A learning rate that rises for a fifth of all updates and falls for the rest.

    Args:
        peak: the highest rate.
        steps: T, the number of updates, at least 1.

    Returns:
        alpha_n as a function of n, equation (schedule.1).

    Raises:
        ValueError: steps is below 1.
    """
    require(steps, lambda steps: steps >= 1, "triangular: steps must be at least 1")
    rising = -(-steps // 5)
    falling = steps - rising + 1 // steps  # 1 for a single update

    def alpha(n: Int32[Array, ""]) -> Float[Array, ""]:
        n = jnp.clip(n, 0, steps - 1)
        share = jnp.minimum((n + 1) / rising, (steps - n) / falling)
        return peak * share  # (schedule.1)

    return alpha  # type: ignore[return-value]
