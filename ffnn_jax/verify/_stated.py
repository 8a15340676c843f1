"""Backwards that are not the derivative on purpose: the stated pullback as a reference."""

import functools
import sys
from typing import Any

import jax
import jax.numpy as jnp

from ffnn_jax.verify._layout import Layout, Restore, flat_function, is_array, is_inexact
from ffnn_jax.verify._rule import Function


@functools.lru_cache(maxsize=32)
def stated_function(value: Function, backward: Function, layout: Layout) -> Function:
    """The value as a function of arrays, whose pullback is the stated one."""
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


def _cotangent(array: Any, cotangent: Any, restore: Restore) -> Any:
    """The cotangent of an array; what restores an argument from it is its own transpose."""
    given = jnp.zeros_like(array) if cotangent is None else jnp.asarray(cotangent, array.dtype)
    return restore(given) if is_inexact(array) else None
