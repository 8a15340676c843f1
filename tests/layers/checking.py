"""Helpers for the tests of layers; the catalogue checks the rule itself, in one call."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue import OpSpec
from ffnn_jax.verify import CHECKS, assert_vjp, check_rules
from tests.tolerances import tolerance

Function = Callable[..., Any]
# float16 takes as long as bfloat16, and finds the same faults
_ON_ONE_DEVICE = [name for name in CHECKS if name not in ("float16", "sharded", "shard_map")]


def assert_verified(spec: OpSpec) -> None:
    """Every check on one device passes, at the first sizes of every case."""
    rules = [(rule, sizes[:1]) for rule, sizes in spec.rules()]
    result = check_rules(spec.name, rules, only=_ON_ONE_DEVICE, explained=False)
    assert result, str(result)


def assert_same_rule(op: Function, reference: Function, *arguments: str) -> None:
    """Value and all cotangents equal autodiff of another function, in float64."""
    assert_vjp(op, reference, *arguments, only=("value", "cotangents"))


def normal(seed: int, *shape: int) -> Array:
    """Random numbers in float64."""
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def distinct(seed: int, *shape: int) -> Array:
    """Random numbers, none within 0.02 of another or of 0: far from kinks and ties."""
    count = int(np.prod(shape))
    levels = np.arange(count) + 0.5 - count // 2
    return jnp.asarray(np.random.default_rng(seed).permutation(levels).reshape(shape) / 20)


def assert_close(actual: Any, expected: Any, reduction_length: int = 1) -> None:
    """Equal elementwise, within the tolerance for the dtype of ``actual``; NaN is never close."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for ours, theirs in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert ours.shape == theirs.shape
        allowed = tolerance(ours.dtype, reduction_length)
        ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
        np.testing.assert_allclose(ours, theirs, allowed, allowed, equal_nan=False)


def assert_same_bits(actual: Any, expected: Any) -> None:
    """Equal in dtype, shape and every entry."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for ours, theirs in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


@functools.partial(jax.jit, static_argnums=0)
def value_and_cotangents(f: Function, arguments: Sequence[Array], dz: Array) -> tuple[Any, Any]:
    """The value of ``f``, and the cotangents of its arguments for the cotangent ``dz``."""
    z, pull = jax.vjp(f, *arguments)
    return z, pull(dz)


def kept_residuals(f: Function, *arguments: Array) -> list[tuple[str, tuple[int, ...]]]:
    """Dtype and shape of every array that jax keeps between the two passes of ``f``."""
    _, pull = jax.vjp(f, *arguments)
    return sorted((leaf.dtype.name, leaf.shape) for leaf in jax.tree.leaves(pull))
