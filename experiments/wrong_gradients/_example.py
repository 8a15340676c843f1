"""A case's operation at random arguments, as a function of its real arrays alone.

This is what a user writes around an operation to hand it to a gradient checker that knows nothing
of integers, keys, static arguments and symmetric matrices.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.wrong_gradients._case import Case
from ffnn_jax.verify import Argument, Rule, Static

DRAWS = 3


@dataclasses.dataclass(frozen=True)
class Example:
    """A function at random arguments.

    Attributes:
        function: takes the real arrays, and returns the tuple of its real outputs.
        arrays: the arguments.
        order: how often the function may be differentiated.
        seed: the seed of the arguments, for further draws.
    """

    function: Callable[..., tuple[jax.Array, ...]]
    arrays: tuple[np.ndarray, ...]
    order: int
    seed: int

    @property
    def compiled(self) -> Callable[..., tuple[jax.Array, ...]]:
        """The function, compiled if it can be."""
        return compiled(self.function, *self.arrays)


def examples(case: Case) -> Iterator[Example]:
    """The case at its first sizes, with each of three seeds."""
    sizes = case.sizes[0] if case.sizes else case.rule.sample_sizes(0, 1)[0]
    for seed in range(DRAWS):
        args = case.rule.draw_args(np.random.default_rng(seed), sizes)
        yield _example(case.rule, args, seed)


def compiled(function: Callable[..., Any], *args: Any) -> Callable[..., Any]:
    """The compiled function; the function itself if it cannot be compiled for these arguments."""
    try:
        jax.eval_shape(function, *args)
    except Exception:
        return function
    return jax.jit(function)


def _example(rule: Rule, args: Any, seed: int) -> Example:
    leaves, tree = jax.tree.flatten(args)
    words = [None] * len(leaves) if rule.draw else jax.tree.leaves(rule.arguments)
    domains = [word.domain if isinstance(word, Argument) else "" for word in words]
    leaves = [_given(leaf, domain) for leaf, domain in zip(leaves, domains, strict=True)]
    places = [i for i, leaf in enumerate(leaves) if _is_real(leaf)]
    wide = "float64" in rule.dtypes

    def function(*arrays: Any) -> tuple[jax.Array, ...]:
        replaced = list(leaves)
        for i, array in zip(places, map(jnp.asarray, arrays), strict=True):
            symmetric = domains[i] == "spd"
            replaced[i] = (array + jnp.swapaxes(array, -1, -2)) / 2 if symmetric else array
        outputs = map(jnp.asarray, jax.tree.leaves(rule.op(*jax.tree.unflatten(tree, replaced))))
        return tuple(z for z in outputs if _is_real(z))

    arrays = tuple(_in_dtype(np.asarray(leaves[i]), wide) for i in places)
    return Example(function, arrays, rule.order, seed)


def _given(leaf: Any, domain: str) -> Any:
    """The leaf that the operation receives."""
    if isinstance(leaf, Static):
        return leaf.value
    if domain == "key":
        return jax.random.wrap_key_data(leaf)
    return jnp.asarray(leaf) if hasattr(leaf, "dtype") and hasattr(leaf, "shape") else leaf


def _is_real(leaf: Any) -> bool:
    """Whether a leaf has a cotangent: it has real or complex entries."""
    is_array = hasattr(leaf, "dtype") and hasattr(leaf, "shape")
    return is_array and jnp.issubdtype(leaf.dtype, jnp.inexact)


def _in_dtype(array: np.ndarray, wide: bool) -> np.ndarray:
    if np.iscomplexobj(array):
        return array.astype(np.complex128 if wide else np.complex64)
    return array.astype(np.float64 if wide else np.float32)
