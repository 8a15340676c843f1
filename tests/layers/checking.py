"""How a layer is compared with its plain definition."""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tests.tolerances import DIFFERENCE, DIFFERENCE_STEP, tolerance

Function = Callable[..., Any]


def normal(seed: int, *shape: int) -> Array:
    """Random numbers in float64."""
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def distinct(seed: int, *shape: int) -> Array:
    """Random numbers, none within 0.02 of another or of 0: no kink and no tie is near."""
    count = int(np.prod(shape))
    levels = np.arange(count) + 0.5 - count // 2
    return jnp.asarray(np.random.default_rng(seed).permutation(levels).reshape(shape) / 20)


def assert_close(actual: Any, expected: Any, reduction_length: int = 1) -> None:
    """Elementwise, at the table's tolerance for the dtype of ``actual``; NaN is never close."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for ours, theirs in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert ours.shape == theirs.shape
        allowed = tolerance(ours.dtype, reduction_length)
        ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
        np.testing.assert_allclose(ours, theirs, allowed, allowed, equal_nan=False)


def assert_same_bits(actual: Any, expected: Any) -> None:
    """Equal dtype, shape and value, entry by entry."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for ours, theirs in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


@functools.partial(jax.jit, static_argnums=0)
def value_and_cotangents(f: Function, arguments: Sequence[Array], dz: Array) -> tuple[Any, Any]:
    """The value of ``f``, and the cotangents of its arguments for the cotangent ``dz``."""
    z, pull = jax.vjp(f, *arguments)
    return z, pull(dz)


def output_cotangent(f: Function, arguments: Sequence[Array], seed: int = 99) -> Array:
    """A random cotangent, never one of ones, for the output of ``f``."""
    return normal(seed, *jax.eval_shape(f, *arguments).shape)


def assert_same_rule(
    layer: Function, plain: Function, arguments: Sequence[Array], reduction_length: int = 1
) -> None:
    """Value and every cotangent equal autodiff of the plain definition, in float64."""
    dz = output_cotangent(plain, arguments)
    actual = value_and_cotangents(layer, arguments, dz)
    assert_close(actual, value_and_cotangents(plain, arguments, dz), reduction_length)


def assert_cotangents_are_differences(layer: Function, arguments: Sequence[Array]) -> None:
    """Every entry of every cotangent is a central finite difference of the layer's own value."""
    dz = output_cotangent(layer, arguments)
    _, cotangents = value_and_cotangents(layer, arguments, dz)
    for place, cotangent in enumerate(cotangents):
        differences = _central_differences(layer, place, arguments, dz)
        np.testing.assert_allclose(cotangent, differences, DIFFERENCE, DIFFERENCE)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _central_differences(f: Function, place: int, arguments: Sequence[Array], dz: Array) -> Array:
    def moved(step: Array) -> Array:
        changed = [*arguments[:place], arguments[place] + step, *arguments[place + 1 :]]
        return jnp.sum(f(*changed) * dz)

    shape = arguments[place].shape
    size = arguments[place].size
    steps = (DIFFERENCE_STEP * jnp.eye(size)).reshape(size, *shape)
    rise = jax.lax.map(lambda step: moved(step) - moved(-step), steps)
    return (rise / (2 * DIFFERENCE_STEP)).reshape(shape)


def assert_maps(layer: Function, arguments: Sequence[Array], reduction_length: int = 1) -> None:
    """Under vmap, every choice of batched arguments equals one call after another.

    Every argument has one axis more in front, whose entries are the members; the cotangent
    always has one, since an output of a mapped function does.
    """
    members = arguments[0].shape[0]
    cotangents = [output_cotangent(layer, [a[i] for a in arguments], i) for i in range(members)]
    dz = jnp.stack(cotangents)
    run = functools.partial(value_and_cotangents, layer)
    for batched in itertools.product((True, False), repeat=len(arguments)):
        choice = [a if b else a[0] for a, b in zip(arguments, batched, strict=True)]
        axes = [0 if b else None for b in batched]
        actual = jax.vmap(run, in_axes=(axes, 0))(choice, dz)
        alone = [
            run([a[i] if b else a for a, b in zip(choice, batched, strict=True)], dz[i])
            for i in range(members)
        ]
        assert_close(actual, jax.tree.map(lambda *m: jnp.stack(m), *alone), reduction_length)


def assert_same_second_order(
    layer: Function, plain: Function, arguments: Sequence[Array], reduction_length: int = 1
) -> None:
    """Reverse over reverse, and forward over reverse (the Hessian), equal the plain ones."""
    dz = output_cotangent(plain, arguments)
    along = [normal(7 + i, *a.shape) for i, a in enumerate(arguments)]
    for derivative in (_gradient_of_gradient, _hessian):
        actual, expected = (derivative(f, arguments, dz, along) for f in (layer, plain))
        assert_close(actual, expected, reduction_length)


@functools.partial(jax.jit, static_argnums=0)
def _gradient_of_gradient(
    f: Function, arguments: Sequence[Array], dz: Array, along: Sequence[Array]
) -> Any:
    def slope(dz: Array, *arguments: Array) -> Array:
        _, pull = jax.vjp(f, *arguments)
        cotangents = pull(dz)
        return jnp.stack([jnp.vdot(d, a) for d, a in zip(cotangents, along, strict=True)]).sum()

    return jax.grad(slope, argnums=range(1 + len(arguments)))(dz, *arguments)


@functools.partial(jax.jit, static_argnums=0)
def _hessian(f: Function, arguments: Sequence[Array], dz: Array, along: Sequence[Array]) -> Any:
    del along

    def scalar(*arguments: Array) -> Array:
        return jnp.sum(dz * f(*arguments) ** 2)

    return jax.hessian(scalar, argnums=range(len(arguments)))(*arguments)


def assert_narrow(
    layer: Function,
    plain: Function,
    arguments: Sequence[Array],
    dtype: str,
    reduction_length: int = 1,
) -> None:
    """In ``dtype``, value and cotangents have it, and agree with float64 on the same numbers."""
    narrow = [a.astype(dtype) for a in arguments]
    dz = output_cotangent(plain, arguments).astype(dtype)
    actual = value_and_cotangents(layer, narrow, dz)
    assert {leaf.dtype for leaf in jax.tree.leaves(actual)} == {jnp.dtype(dtype)}
    wide = [a.astype("float64") for a in narrow]
    expected = value_and_cotangents(plain, wide, dz.astype("float64"))
    assert_close(actual, expected, reduction_length)


def assert_wired(
    layer: Function, forward: Function, backward: Callable, arguments: Sequence[Array]
) -> None:
    """The public name's value and cotangents are those of forward and backward, bit by bit."""

    @jax.jit
    def by_hand(arguments: Sequence[Array], dz: Array) -> tuple[Any, Any]:
        z, residuals = forward(*arguments)
        return z, backward(residuals, dz)

    dz = output_cotangent(layer, arguments)
    assert_same_bits(value_and_cotangents(layer, arguments, dz), by_hand(arguments, dz))
    assert_same_bits(jax.jit(layer)(*arguments), by_hand(arguments, dz)[0])


def held(f: Function, *arguments: Array) -> list[tuple[str, tuple[int, ...]]]:
    """Dtype and shape of everything that jax keeps between the two passes of ``f``."""
    _, pull = jax.vjp(f, *arguments)
    return sorted((leaf.dtype.name, leaf.shape) for leaf in jax.tree.leaves(pull))
