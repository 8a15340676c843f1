"""Schedules: the learning rate alpha of (25) as a function of the updates so far.

Of T updates the first r = T/5, rounded up, raise the rate linearly to its peak, and the others
lower it linearly; the update after the last would have rate 0. For n = 0, ..., T - 1,

    alpha_n = peak min((n + 1) / r, (T - n) / (T - r))                          (schedule.1)

so the first update has rate peak / r, and both update r - 1 and update r have the peak rate.
"""

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int32


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
    if steps < 1:
        raise ValueError(f"triangular: steps must be at least 1, got {steps}")
    rising = -(-steps // 5)

    def alpha(n: Int32[Array, ""]) -> Float[Array, ""]:
        falling = max(steps - rising, 1)
        share = jnp.minimum((n + 1) / rising, (steps - n) / falling)
        return peak * share  # (schedule.1)

    return alpha  # type: ignore[return-value]
