"""Drawing a batch: different indices, every set of them equally likely, in O(batch)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int32, Key


def draw_distinct(key: Key[Array, ""], size: int, below: int) -> Int32[Array, " size"]:
    """Returns ``size`` different numbers from 0 to ``below`` - 1, without order or favour.

    All are drawn at once, and those that repeat an earlier one are drawn again until none does.
    No number is treated unlike another, so relabelling the numbers cannot change the odds of an
    outcome, and relabelling takes every outcome to every other: all are equally likely.

    A permutation of everything would cost O(below). It is used when more than half is asked
    for, where that is O(size) too and drawing again would take long.

    Args:
        key: decides the draw.
        size: how many, at most ``below``.
        below: the number of candidates.

    Raises:
        ValueError: size is more than below.
    """
    if size > below:
        raise ValueError(f"draw_distinct: size must be at most {below}, got {size}")
    if 2 * size > below:
        return jax.random.permutation(key, jnp.arange(below, dtype=jnp.int32))[:size]

    def draw_repeated(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        numbers, repeated, attempt = carry
        attempt_key = jax.random.fold_in(key, attempt)
        fresh = jax.random.randint(attempt_key, (size,), 0, below, jnp.int32)
        numbers = jnp.where(repeated, fresh, numbers)
        return numbers, _repeats_an_earlier(numbers), attempt + 1

    nothing = jnp.zeros(size, jnp.int32), jnp.ones(size, bool), jnp.zeros((), jnp.int32)
    return jax.lax.while_loop(lambda carry: jnp.any(carry[1]), draw_repeated, nothing)[0]


def _repeats_an_earlier(numbers: Int32[Array, " size"]) -> Bool[Array, " size"]:
    return jnp.any(jnp.tril(numbers[:, None] == numbers[None, :], k=-1), axis=1)
