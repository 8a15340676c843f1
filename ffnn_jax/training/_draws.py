"""Numbers drawn without repetition, in O(batch): all different at once, or by a permutation."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int32, Key, UInt32

_ROUNDS = 8
_FEW = 64


def sample_without_replacement(key: Key[Array, ""], size: int, below: int) -> Int32[Array, " size"]:
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
        raise ValueError(f"sample_without_replacement: size must be at most {below}, got {size}")
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


def permute(
    key: Key[Array, ""], positions: Int32[Array, " size"], count: int
) -> Int32[Array, " size"]:
    """Where a permutation of 0 to ``count`` - 1 takes these positions, in O(size).

    A Feistel network permutes the numbers of as many bits as ``count`` needs: in each round one
    half is changed by a hash of the other half, which undoes itself. Numbers from ``count`` on are
    permute again until they are below it; that leaves a permutation of those below. Of few
    numbers every permutation is equally likely: they are sorted by a draw each.

    Args:
        key: decides the permutation.
        positions: from 0 to ``count`` - 1.
        count: how many numbers are permute.
    """
    if count <= _FEW:
        return jax.random.permutation(key, jnp.arange(count, dtype=jnp.int32))[positions]
    bits = int(count - 1).bit_length()
    low = bits // 2
    keys = jax.random.bits(key, (_ROUNDS,), jnp.uint32)

    def once(numbers: Array) -> Array:
        left, right = numbers >> low, numbers & ((1 << low) - 1)
        for number in range(0, _ROUNDS, 2):
            left = left ^ (_hashed(right, keys[number]) & ((1 << (bits - low)) - 1))
            right = right ^ (_hashed(left, keys[number + 1]) & ((1 << low) - 1))
        return (left << low) | right

    def again(numbers: Array) -> Array:
        return jnp.where(numbers < count, numbers, once(numbers))

    first = once(positions.astype(jnp.uint32))
    found = jax.lax.while_loop(lambda numbers: jnp.any(numbers >= count), again, first)
    return found.astype(jnp.int32)


def _hashed(numbers: UInt32[Array, " size"], key: UInt32[Array, ""]) -> UInt32[Array, " size"]:
    """A number of 32 bits for each, every bit of which depends on every bit of number and key."""
    mixed = numbers * jnp.uint32(0x9E3779B1) + key
    for factor in (0x85EBCA6B, 0xC2B2AE35):
        mixed = (mixed ^ (mixed >> 15)) * jnp.uint32(factor)
    return mixed ^ (mixed >> 16)
