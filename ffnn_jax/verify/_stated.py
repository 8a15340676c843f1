"""Backwards that are not the derivative on purpose: the stated pullback as a reference."""

import functools
import sys
from types import FrameType
from typing import Any

import jax
import jax.numpy as jnp

from ffnn_jax.verify._layout import Layout, Restore, flat_function, is_inexact
from ffnn_jax.verify._rule import Function


@functools.lru_cache(maxsize=256)
def stated_function(value: Function, backward: Function, layout: Layout) -> Function:
    """The value as a function of arrays, whose pullback is the stated one."""
    flat = flat_function(value, layout)

    @jax.custom_vjp
    def stated(*arrays: Any) -> Any:
        return flat(*arrays)

    def pullback(arrays: Any, cotangents: Any) -> Any:
        args = layout.arguments(arrays)
        given = backward(args, cotangents[0])
        flat_given = flat_cotangents(args, given, layout)
        parts = zip(arrays, flat_given, layout.restores, strict=True)
        return tuple(_cotangent(array, cotangent, restore) for array, cotangent, restore in parts)

    stated.defvjp(lambda *arrays: (flat(*arrays), arrays), pullback)
    return stated


def calls_backward_of(backward: Function, op: Any, args: Any, dz: Any) -> bool:
    """Whether a stated backward is, or calls, the backward of the operation itself."""
    codes = (getattr(getattr(op, name, None), "__code__", None) for name in ("bwd", "jvp"))
    own = set(codes) - {None}
    called = []

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        called.append(frame.f_code in own)

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        jax.eval_shape(lambda dz: backward(args, dz), dz)
    finally:
        sys.setprofile(before)
    return any(called)


def flat_cotangents(args: Any, given: Any, layout: Layout) -> list[Any]:
    """One cotangent, or None, for each array of the arguments."""
    given = given if isinstance(given, (tuple, list)) else (given,)
    has_cotangent = [any(map(_is_differentiable, jax.tree.leaves(arg))) for arg in args]
    if len(given) == sum(has_cotangent) != len(args):
        remaining = iter(given)
        given = tuple(next(remaining) if has else None for has in has_cotangent)
    if len(given) != len(args):
        raise ValueError(f"backward= returned {len(given)} cotangents for {len(args)} arguments")
    leaves: list[Any] = []
    for arg, cotangent in zip(args, given, strict=True):
        tree = jax.tree.structure(arg)
        none = [None] * tree.num_leaves
        leaves += none if cotangent is None else tree.flatten_up_to(cotangent)
    static = {position for position, _, _ in layout.statics}
    return [leaf for i, leaf in enumerate(leaves) if i not in static]


def _cotangent(array: Any, cotangent: Any, restore: Restore) -> Any:
    """The cotangent of an array; what restores an argument from it is its own transpose."""
    if not is_inexact(array):
        return None
    if cotangent is None:
        return jnp.zeros_like(array)
    return restore(jnp.asarray(cotangent, array.dtype))


def _is_differentiable(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and is_inexact(leaf)
