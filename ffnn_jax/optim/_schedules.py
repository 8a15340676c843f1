"""Schedules: the learning rate alpha of (25) as a function of the updates so far.

Of T updates the first r = T/5, rounded up, raise the rate linearly to its peak, and the others
lower it linearly; the line reaches 0 one update after the last. For n = 0, ..., T - 1,

    alpha_n = peak min((n + 1) / r, (T - n) / (T - r))                          (schedule.1)

so the first update has rate peak / r, and both update r - 1 and update r have the peak rate.

Any other shape is said by points (share of all updates, factor), joined by straight lines:

    alpha_n = peak f(n / T)                                                     (schedule.2)

Before and after all updates the rate is that of the first and of the last.
"""

from collections.abc import Sequence

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


def piecewise_linear(
    peak: float, steps: int, points: Sequence[tuple[float, float]]
) -> optax.Schedule:
    """A learning rate that follows straight lines between points.

    Args:
        peak: what a factor of 1 stands for.
        steps: T, the number of updates, at least 1.
        points: (share of all updates, factor), in increasing order of shares.

    Returns:
        alpha_n as a function of n, equation (schedule.2).

    Raises:
        ValueError: steps is below 1, or there is no point.
    """
    require(steps, lambda steps: steps >= 1, "piecewise_linear: steps must be at least 1")
    require(points, bool, "piecewise_linear: points must be at least one")
    shares, factors = (jnp.asarray(axis, float) for axis in zip(*points, strict=True))

    def alpha(n: Int32[Array, ""]) -> Float[Array, ""]:
        share = jnp.asarray(jnp.clip(n, 0, steps - 1), float) / jnp.asarray(steps, float)
        return peak * jnp.interp(share, shares, factors)  # (schedule.2)

    return alpha  # type: ignore[return-value]
