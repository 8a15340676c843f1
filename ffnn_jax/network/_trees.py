"""Pytrees of parameters: split into trained and frozen ones, and listed by path."""

from typing import Any

import jax


def partition(tree: Any, trained: Any) -> tuple[Any, Any]:
    """Splits a tree, by True or False for each leaf, into two with None in place of the others."""
    return (
        jax.tree.map(lambda leaf, is_trained: leaf if is_trained else None, tree, trained),
        jax.tree.map(lambda leaf, is_trained: None if is_trained else leaf, tree, trained),
    )


def combine(trained: Any, frozen: Any) -> Any:
    """Inverse of ``partition``."""
    pairs = trained, frozen
    return jax.tree.map(lambda a, b: b if a is None else a, *pairs, is_leaf=lambda a: a is None)


def by_path(tree: Any) -> dict[str, Any]:
    """The leaves of a pytree by path, such as "params/conv_1/w"."""
    leaves, _ = jax.tree.flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}
