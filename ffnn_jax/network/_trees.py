"""Pytrees of parameters: by name, and in two, those that are trained and those that are not."""

from typing import Any

import jax


def partition(tree: Any, trained: Any) -> tuple[Any, Any]:
    """The leaves that are trained, and the others; None where the other tree has a leaf.

    Args:
        tree: parameters, or anything of their structure.
        trained: True or False for each.
    """
    return (
        jax.tree.map(lambda leaf, kept: leaf if kept else None, tree, trained),
        jax.tree.map(lambda leaf, kept: None if kept else leaf, tree, trained),
    )


def combine(trained: Any, frozen: Any) -> Any:
    """Inverse of ``partition``."""

    def either(one: Any, other: Any) -> Any:
        return other if one is None else one

    return jax.tree.map(either, trained, frozen, is_leaf=lambda leaf: leaf is None)


def by_path(tree: Any) -> dict[str, Any]:
    """The leaves of a pytree by their path, as in "params/conv_1/w"."""
    leaves, _ = jax.tree.flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}
