"""How arguments of any structure become a flat list of arrays, and back.

A pytree's arrays are the leaves that have a dtype; every other leaf is static and stays in place.
A typed random key is carried as its data, and a matrix declared symmetric is made symmetric again,
so that finite differences stay among symmetric matrices.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ffnn_jax.verify._arguments import Argument
from ffnn_jax.verify._rule import Function, Rule, Static, argument_names

Restore = Callable[[Any], Any]


@dataclasses.dataclass(frozen=True)
class Layout:
    """The structure of the arguments around their arrays.

    Attributes:
        tree: the structure of the tuple of all arguments.
        statics: (position, type, value) of each static leaf.
        restores: for each array, what makes the leaf of it that the function receives.
        owners: for each array, the position of its argument.
    """

    tree: Any
    statics: tuple[tuple[int, type, Any], ...]
    restores: tuple[Restore, ...]
    owners: tuple[int, ...]

    def arguments(self, arrays: Sequence[Any]) -> Any:
        """The arguments of the function, from their arrays."""
        restored = iter([f(array) for f, array in zip(self.restores, arrays, strict=True)])
        statics = {position: value for position, _, value in self.statics}
        count = self.tree.num_leaves
        leaves = [statics[i] if i in statics else next(restored) for i in range(count)]
        return jax.tree.unflatten(self.tree, leaves)


def lay_out(rule: Rule, args: Any) -> tuple[Layout, tuple[str, ...]]:
    """The layout of drawn arguments, and a name for each array."""
    described = jax.tree.leaves(rule.arguments) if rule.draw is None else []
    names = argument_names(rule.op)
    names = names if len(names) >= len(args) else argument_names(rule.reference)
    names = names if len(names) >= len(args) else [f"arg{i}" for i in range(len(args))]
    statics, restores, owners, array_names = [], [], [], []
    paths, tree = jax.tree_util.tree_flatten_with_path(args)
    for i, (path, leaf) in enumerate(paths):
        if is_array(leaf):
            restores.append(_restore(leaf, described[i] if described else None))
            owners.append(path[0].idx)
            array_names.append(names[path[0].idx] + jax.tree_util.keystr(path[1:]))
        else:
            value = _static(leaf, names[path[0].idx])
            statics.append((i, type(value), value))
    return Layout(tree, tuple(statics), tuple(restores), tuple(owners)), tuple(array_names)


def arrays_of(args: Any) -> list[np.ndarray]:
    """The arrays among the leaves, with the data of keys."""
    return [
        np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)
        for leaf in jax.tree.leaves(args)
        if is_array(leaf)
    ]


def is_array(leaf: Any) -> bool:
    """Whether a leaf is an array: it has a dtype and a shape."""
    return hasattr(leaf, "dtype") and hasattr(leaf, "shape")


@functools.lru_cache(maxsize=256)
def flat_function(function: Function, layout: Layout) -> Function:
    """The function of the arrays, which returns (differentiable outputs, other outputs)."""

    def flat(*arrays: Any) -> tuple[Any, Any]:
        return split_outputs(function(*layout.arguments(arrays)))

    return flat


def split_outputs(output: Any) -> tuple[Any, Any]:
    """The tree with its differentiable leaves, and the one with the others; None elsewhere."""

    def as_array(leaf: Any) -> Any:
        leaf = jnp.asarray(leaf)
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return jax.random.key_data(leaf) if is_key else leaf

    output = jax.tree.map(as_array, output)
    return (
        jax.tree.map(lambda leaf: leaf if is_inexact(leaf) else None, output),
        jax.tree.map(lambda leaf: None if is_inexact(leaf) else leaf, output),
    )


def is_inexact(array: Any) -> bool:
    """Whether an array has real or complex entries, and so a cotangent."""
    return jnp.issubdtype(array.dtype, jnp.inexact)


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _restore(leaf: Any, description: Any) -> Restore:
    domain = description.domain if isinstance(description, Argument) else ""
    if domain == "key":
        return jax.random.wrap_key_data
    if domain == "spd":
        return _symmetric
    if _is_key(leaf):
        return functools.partial(jax.random.wrap_key_data, impl=jax.random.key_impl(leaf))
    return jnp.asarray


def _symmetric(array: Any) -> Any:
    return (array + jnp.swapaxes(array, -1, -2)) / 2


def _static(leaf: Any, name: str) -> Any:
    value = leaf.value if isinstance(leaf, Static) else leaf
    try:
        hash(value)
    except TypeError:
        kinds = "text, an array, a static value that can be hashed, or a pytree of these"
        raise ValueError(
            f"argument {name} holds a {type(value).__name__}; it must be {kinds}"
        ) from None
    return value
