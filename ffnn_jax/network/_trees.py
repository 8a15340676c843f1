"""Pytrees of parameters: split into trained and frozen ones, and listed by path."""

from typing import Any

import jax


def partition(tree: Any, trained: Any) -> tuple[Any, Any]:
    """Splits a tree into trained and frozen leaves, each with None for the leaves of the other.

    Args:
        tree: parameters, or any tree with their structure.
        trained: True or False for each leaf.
    """
    return (
        jax.tree.map(lambda leaf, is_trained: leaf if is_trained else None, tree, trained),
        jax.tree.map(lambda leaf, is_trained: None if is_trained else leaf, tree, trained),
    )


def combine(trained: Any, frozen: Any) -> Any:
    """Inverse of ``partition``."""

    def either(left: Any, right: Any) -> Any:
        return right if left is None else left

    return jax.tree.map(either, trained, frozen, is_leaf=lambda leaf: leaf is None)


def by_path(tree: Any) -> dict[str, Any]:
    """The leaves of a pytree by path, such as "params/conv_1/w"."""
    leaves, _ = jax.tree.flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}
