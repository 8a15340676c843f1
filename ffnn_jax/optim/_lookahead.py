"""Lookahead: slow parameters that follow the fast ones, and pull them back.

The optimiser moves the fast parameters w. Every k of T updates, the slow ones s come closer, and
the fast ones start again from there:

    beta_n = beta^k (n / T)^3                                                   (lookahead.1)
    s <- beta_n s + (1 - beta_n) w,   w <- s                                    (lookahead.2)

Early in training beta_n is near 0 and nothing is held back; later the slow parameters average more.
After the last update, if it is none of these, w <- s. Running statistics are averaged in the same
way. Source: Zhang et al. 2019, with the schedule of Jordan 2024.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int32

from ffnn_jax.optim._hyperparameters import scaled


class Lookahead(NamedTuple):
    """Every ``every`` of ``steps`` updates, slow and fast parameters meet.

    Attributes:
        every: k.
        steps: T.
        decay: beta.
    """

    every: int
    steps: int
    decay: float = 0.95

    def __call__(self, slow: Any, fast: Any, count: Int32[Array, ""]) -> tuple[Any, Any]:
        """The slow and the fast trees after ``count`` updates, (lookahead.1) and (lookahead.2)."""
        meets = count % self.every == 0
        share = jnp.asarray(count, float) / self.steps
        beta = jnp.where(meets, self.decay**self.every * share**3, 1.0)  # (lookahead.1)

        def met(slow: Any, fast: Any) -> tuple[Any, Any]:
            s = jax.tree.map(lambda s, w: scaled(beta, s) + scaled(1 - beta, w), slow, fast)
            return s, s  # (lookahead.2)

        ends = count == self.steps
        return jax.lax.cond(meets | ends, met, lambda slow, fast: (slow, fast), slow, fast)
