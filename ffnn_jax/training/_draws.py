"""Sampling without replacement in O(batch): by redrawing repeats, or by a permutation."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int32, Key, UInt32

_ROUNDS = 8
_FEW = 64


def sample_without_replacement(key: Key[Array, ""], size: int, below: int) -> Int32[Array, " size"]:
    """Returns ``size`` distinct numbers from 0 to ``below`` - 1, all outcomes equally likely.

    All are drawn at once, and those that repeat an earlier one are redrawn until none does.
    All numbers are treated alike, so relabelling them does not change the probability of an
    outcome, and relabelling maps any outcome to any other: all are equally likely.

    A full permutation would cost O(below). It is used for more than half of the numbers, where
    that is O(size) too and redrawing would take long.

    Raises:
        ValueError: size exceeds below.
    """
    if size > below:
        raise ValueError(f"sample_without_replacement: size must be at most {below}, got {size}")
    if 2 * size > below:
        return jax.random.permutation(key, jnp.arange(below, dtype=jnp.int32))[:size]

    def redraw_repeats(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        numbers, repeated, attempt = carry
        attempt_key = jax.random.fold_in(key, attempt)
        fresh = jax.random.randint(attempt_key, (size,), 0, below, jnp.int32)
        numbers = jnp.where(repeated, fresh, numbers)
        earlier = jnp.tril(numbers[:, None] == numbers[None, :], k=-1)
        return numbers, jnp.any(earlier, axis=1), attempt + 1

    initial = jnp.zeros(size, jnp.int32), jnp.ones(size, bool), jnp.zeros((), jnp.int32)
    return jax.lax.while_loop(lambda carry: jnp.any(carry[1]), redraw_repeats, initial)[0]


def permute(
    key: Key[Array, ""], positions: Int32[Array, " size"], count: int
) -> Int32[Array, " size"]:
    """Maps these positions by a permutation of 0 to ``count`` - 1, in O(size).

    A Feistel network permutes all numbers with as many bits as ``count`` needs: each round XORs
    one half with a hash of the other half, which is its own inverse. Numbers not below ``count``
    are permuted again until they are; that leaves a permutation of the numbers below it. For small
    counts every permutation is equally likely: the numbers are sorted by random keys.
    """
    if count <= _FEW:
        return jax.random.permutation(key, jnp.arange(count, dtype=jnp.int32))[positions]
    bits = int(count - 1).bit_length()
    low = bits // 2
    keys = jax.random.bits(key, (_ROUNDS,), jnp.uint32)

    def feistel(numbers: Array) -> Array:
        left, right = numbers >> low, numbers & ((1 << low) - 1)
        for index in range(0, _ROUNDS, 2):
            left = left ^ (_hash(right, keys[index]) & ((1 << (bits - low)) - 1))
            right = right ^ (_hash(left, keys[index + 1]) & ((1 << low) - 1))
        return (left << low) | right

    def permute_again(numbers: Array) -> Array:
        return jnp.where(numbers < count, numbers, feistel(numbers))

    first = feistel(positions.astype(jnp.uint32))
    permuted = jax.lax.while_loop(lambda numbers: jnp.any(numbers >= count), permute_again, first)
    return permuted.astype(jnp.int32)


def _hash(numbers: UInt32[Array, " size"], key: UInt32[Array, ""]) -> UInt32[Array, " size"]:
    """A 32-bit hash of each number, every bit of which depends on all bits of number and key."""
    mixed = numbers * jnp.uint32(0x9E3779B1) + key
    for factor in (0x85EBCA6B, 0xC2B2AE35):
        mixed = (mixed ^ (mixed >> 15)) * jnp.uint32(factor)
    return mixed ^ (mixed >> 16)
