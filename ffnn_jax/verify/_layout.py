"""How arguments of any structure become a flat list of arrays, and back.

A pytree's arrays are the leaves that have a dtype; every other leaf is static. A typed random key
is carried as its data; what is declared symmetric is made so again, for differences to stay so.
"""

import dataclasses
import functools
import sys
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
    """The structure of the tuple of all arguments around their arrays."""

    tree: Any
    statics: tuple[tuple[int, type, Any], ...]  # position, type and value of each static leaf
    restores: tuple[Restore, ...]  # what makes the leaf that the function receives of each array
    owners: tuple[int, ...]  # the position of each array's argument

    def arguments(self, arrays: Sequence[Any]) -> Any:
        """The arguments of the function, from their arrays."""
        leaves = [f(array) for f, array in zip(self.restores, arrays, strict=True)]
        for position, _, value in self.statics:
            leaves.insert(position, value)
        return jax.tree.unflatten(self.tree, leaves)

    def without_statics(self, leaves: Sequence[Any]) -> list[Any]:
        """What belongs to the arrays, of something that belongs to each leaf."""
        static = {position for position, _, _ in self.statics}
        return [leaf for i, leaf in enumerate(leaves) if i not in static]


def lay_out(rule: Rule, args: Any) -> tuple[Layout, tuple[str, ...]]:
    """The layout of drawn arguments, and a name for each array."""
    described = jax.tree.leaves(args if rule.draw else rule.arguments)
    candidates = argument_names(rule.op), argument_names(rule.reference)
    enough = (names for names in candidates if len(names) >= len(args))
    names = next(enough, [f"arg{i}" for i in range(len(args))])
    statics, arrays = [], []
    paths, tree = jax.tree_util.tree_flatten_with_path(args)
    for i, (path, leaf) in enumerate(paths):
        owner, name = path[0].idx, names[path[0].idx]
        if is_array(leaf):
            restore = _restore(leaf, described[i])
            arrays.append((restore, owner, name + jax.tree_util.keystr(path[1:])))
        else:
            value = _static(leaf, name)
            statics.append((i, type(value), value))
    restores, owners, array_names = zip(*arrays, strict=True) if arrays else ((), (), ())
    return Layout(tree, tuple(statics), restores, owners), array_names


def arrays_of(args: Any) -> list[np.ndarray]:
    """The arrays among the leaves, with the data of keys."""
    return [np.asarray(_plain(leaf)) for leaf in jax.tree.leaves(args) if is_array(leaf)]


def is_array(leaf: Any) -> bool:
    """Whether a leaf is an array: it has a dtype and a shape."""
    return hasattr(leaf, "dtype") and hasattr(leaf, "shape")


@functools.lru_cache(maxsize=32)
def flat_function(function: Function, layout: Layout) -> Function:
    """The function of the arrays, which returns (differentiable outputs, other outputs)."""
    return lambda *arrays: split_outputs(function(*layout.arguments(arrays)))


@functools.lru_cache(maxsize=32)
def stated_function(value: Function, backward: Function, layout: Layout) -> Function:
    """The same, with a stated backward that is not the derivative on purpose."""
    flat = flat_function(value, layout)

    @jax.custom_vjp
    def stated(*arrays: Any) -> Any:
        return flat(*arrays)

    def pullback(arrays: Any, cotangents: Any) -> Any:
        args = layout.arguments(arrays)
        given = flat_cotangents(args, backward(args, cotangents[0]), layout)
        return tuple(map(_cotangent, arrays, given, layout.restores))

    stated.defvjp(lambda *arrays: (flat(*arrays), arrays), pullback)
    return stated


def calls_backward_of(backward: Function, op: Any, args: Any, dz: Any) -> bool:
    """Whether a stated backward is, or calls, the backward of the operation itself."""
    rules = (getattr(op, name, None) for name in ("bwd", "jvp"))
    own = {getattr(rule, "__code__", None) for rule in rules} - {None}
    called: list[bool] = []
    before = sys.getprofile()
    sys.setprofile(lambda frame, event, argument: called.append(frame.f_code in own))
    try:
        jax.eval_shape(lambda dz: backward(args, dz), dz)
    finally:
        sys.setprofile(before)
    return any(called)


def flat_cotangents(args: Any, given: Any, layout: Layout) -> list[Any]:
    """One cotangent, or None, for each array of the arguments."""
    given = given if isinstance(given, (tuple, list)) else (given,)
    arrays = [filter(is_array, jax.tree.leaves(arg)) for arg in args]
    with_cotangent = [any(map(is_inexact, of_one)) for of_one in arrays]
    if len(given) == sum(with_cotangent) != len(args):
        remaining = iter(given)
        given = [next(remaining) if has else None for has in with_cotangent]
    if len(given) != len(args):
        raise ValueError(f"backward= returned {len(given)} cotangents for {len(args)} arguments")
    leaves: list[Any] = []
    for tree, cotangent in zip(map(jax.tree.structure, args), given, strict=True):
        none = [None] * tree.num_leaves
        leaves += none if cotangent is None else tree.flatten_up_to(cotangent)
    return layout.without_statics(leaves)


def split_outputs(output: Any) -> tuple[Any, Any]:
    """The tree with its differentiable leaves, and the one with the others; None elsewhere."""
    output = jax.tree.map(lambda leaf: _plain(jnp.asarray(leaf)), output)
    differentiable = jax.tree.map(lambda leaf: leaf if is_inexact(leaf) else None, output)
    return differentiable, jax.tree.map(lambda leaf: None if is_inexact(leaf) else leaf, output)


def is_inexact(array: Any) -> bool:
    """Whether an array has real or complex entries, and so a cotangent."""
    return jnp.issubdtype(array.dtype, jnp.inexact)


def is_key(leaf: Any) -> bool:
    """Whether an array is one of typed random keys."""
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _cotangent(array: Any, cotangent: Any, restore: Restore) -> Any:
    """The cotangent of an array; what restores an argument from it is its own transpose."""
    given = jnp.zeros_like(array) if cotangent is None else jnp.asarray(cotangent, array.dtype)
    return restore(given) if is_inexact(array) else None


def _plain(array: Any) -> Any:
    return jax.random.key_data(array) if is_key(array) else array


def _restore(leaf: Any, description: Any) -> Restore:
    domain = description.domain if isinstance(description, Argument) else ""
    if is_key(leaf):
        return functools.partial(jax.random.wrap_key_data, impl=jax.random.key_impl(leaf))
    return {"key": jax.random.wrap_key_data, "spd": _symmetric}.get(domain, jnp.asarray)


def _symmetric(array: Any) -> Any:
    return (array + jnp.swapaxes(array, -1, -2)) / 2


def _static(leaf: Any, name: str) -> Any:
    value = leaf.value if isinstance(leaf, Static) else leaf
    try:
        hash(value)
    except TypeError:
        kinds = "text, an array, a static value that can be hashed, or a pytree of these"
        message = f"argument {name} holds a {type(value).__name__}; it must be {kinds}"
        raise ValueError(message) from None
    return value
