"""Checks that JAX's transformations do not change the rule, in float64, at one set of sizes.

The transformed rule is compared with the compiled operation, called once per example.
"""

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ffnn_jax.verify._arguments import Sizes
from ffnn_jax.verify._compare import allowed_error, compare
from ffnn_jax.verify._result import Check
from ffnn_jax.verify._subject import Function, Subject, value_and_cotangents, with_reals

_BATCH_SIZE = 2
_ALL_CHOICES_UP_TO = 3


def check_jit(subject: Subject, sizes: Sizes, seed: int) -> Check:
    """Uncompiled, operation by operation, the rule gives the same results as compiled."""
    generator = np.random.default_rng(seed)
    drawn = subject.draw(generator, sizes)
    args = [jnp.asarray(arg) for arg in drawn]
    dz = jax.tree.map(jnp.asarray, subject.draw_cotangent(generator, drawn))
    eager = value_and_cotangents(subject.op, subject.reals, args, dz)
    return _compare_pulls(subject, "jit", eager, subject.pull(args, dz), args)


def check_vmap(subject: Subject, sizes: Sizes, seed: int) -> Check:
    """Mapped over any choice of its arguments, the rule gives the same results as one by one.

    With up to three arguments, every choice is tried; with more, all, all but one, and only one.
    """
    stacks, dz = _examples(subject, sizes, seed)
    choices = _axis_choices(len(stacks))
    one = functools.partial(value_and_cotangents, subject.op, subject.reals)

    def chosen(stacks: Any, axes: Any, example: Any) -> list[Any]:
        """An example of each mapped argument, and the first example of the others."""
        return [s[example if a == 0 else 0] for s, a in zip(stacks, axes, strict=True)]

    @jax.jit
    def mapped(stacks: Any, dz: Any) -> Any:
        return [
            jax.vmap(one, in_axes=(list(axes), 0))(chosen(stacks, axes, slice(None)), dz)
            for axes in choices
        ]

    one_by_one = [
        _stacked(subject.pull(chosen(stacks, axes, m), _example(dz, m)) for m in range(_BATCH_SIZE))
        for axes in choices
    ]
    return _compare_pulls(subject, "vmap", mapped(stacks, dz), one_by_one, stacks, each=choices)


def _axis_choices(count: int) -> Sequence[tuple[int | None, ...]]:
    """The choices of arguments to map, as ``in_axes``."""
    all_choices = list(itertools.product((0, None), repeat=count))[:-1]
    if count <= _ALL_CHOICES_UP_TO:
        return all_choices
    return [axes for axes in all_choices if axes.count(0) in (1, count - 1, count)]


def check_scan(subject: Subject, sizes: Sizes, seed: int) -> Check:
    """Reverse mode through a scan over examples gives the cotangents of each example."""
    stacks, dz = _examples(subject, sizes, seed)

    def total(*reals: Any) -> Any:
        def add(carry: Any, example: Any) -> tuple[Any, None]:
            args, dz = example
            return carry + _inner(subject.op(*args), dz), None

        args = with_reals(stacks, subject.reals, reals)
        return jax.lax.scan(add, jnp.zeros((), jnp.float64), (args, dz))[0]

    reals = [stacks[i] for i in subject.reals]
    cotangents = jax.jit(jax.grad(total, argnums=tuple(range(len(reals)))))(*reals)
    one_by_one = [
        subject.pull([s[m] for s in stacks], _example(dz, m))[1] for m in range(_BATCH_SIZE)
    ]
    expected = _stacked(one_by_one)
    return compare("scan", subject.cotangent_names, cotangents, expected, allowed_error(stacks))


def check_remat(subject: Subject, sizes: Sizes, seed: int) -> Check:
    """Rematerialised with ``jax.checkpoint``, the rule gives the same results as without."""
    generator = np.random.default_rng(seed)
    args = subject.draw(generator, sizes)
    dz = subject.draw_cotangent(generator, args)
    remat = jax.jit(
        functools.partial(value_and_cotangents, jax.checkpoint(subject.op), subject.reals)
    )
    return _compare_pulls(subject, "remat", remat(args, dz), subject.pull(args, dz), args)


def check_second_order(subject: Subject, sizes: Sizes, seed: int) -> Check:
    """The gradient of a gradient, which differentiates the backward, equals the reference's.

    Detects residuals detached from the arguments that they depend on.
    """
    generator = np.random.default_rng(seed)
    args = subject.draw(generator, sizes)
    dz = subject.draw_cotangent(generator, args)
    direction = [generator.normal(size=args[i].shape) for i in subject.reals]
    run = functools.partial(_gradient_of_slope, subject.reals)
    ours = jax.jit(functools.partial(run, subject.op))(args, dz, direction)
    theirs = _reference_gradient_of_slope(subject)(args, dz, direction)
    names = ("d(dz)", *(f"d(d{subject.names[i]})" for i in subject.reals))
    return compare("grad of grad", names, ours, theirs, 10 * allowed_error(args))


def _gradient_of_slope(
    reals: tuple[int, ...], f: Function, args: Any, dz: Any, direction: Any
) -> Any:
    """Gradient, in dz and every real argument, of the slope of <f, dz> in one direction."""

    def slope(dz: Any, *chosen: Any) -> Any:
        _, cotangents = value_and_cotangents(f, reals, with_reals(args, reals, chosen), dz)
        return _inner(cotangents, tuple(direction))

    chosen = [args[i] for i in reals]
    return jax.grad(slope, argnums=tuple(range(1 + len(chosen))))(dz, *chosen)


@functools.lru_cache(maxsize=256)
def _compiled_slope(reference: Function, reals: tuple[int, ...]) -> Function:
    return jax.jit(functools.partial(_gradient_of_slope, reals, reference))


def _reference_gradient_of_slope(subject: Subject) -> Function:
    return _compiled_slope(subject.reference, subject.reals)


def _examples(subject: Subject, sizes: Sizes, seed: int) -> tuple[list[np.ndarray], Any]:
    """Arguments and cotangents of several examples, stacked along a leading axis."""
    generator = np.random.default_rng(seed)
    drawn = [subject.draw(generator, sizes) for _ in range(_BATCH_SIZE)]
    cotangents = [subject.draw_cotangent(generator, args) for args in drawn]
    return [np.stack(parts) for parts in zip(*drawn, strict=True)], _stacked(cotangents)


def _stacked(examples: Any) -> Any:
    return jax.tree.map(lambda *parts: np.stack(parts), *examples)


def _example(tree: Any, index: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[index], tree)


def _inner(a: Any, b: Any) -> Any:
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return sum(jnp.sum(p * q) for p, q in pairs)


def _compare_pulls(
    subject: Subject, name: str, actual: Any, expected: Any, args: Any, each: Any = None
) -> Check:
    """Compares (value, cotangents), or a list of them, naming each cotangent."""
    labels = ["".join("m" if a == 0 else "." for a in axes) for axes in each] if each else [""]
    actual, expected = (actual, expected) if each else ([actual], [expected])
    names = [
        f"{part}{f' mapped {label}' if label else ''}"
        for label in labels
        for part in ("z", *subject.cotangent_names)
    ]
    flat_actual = [part for z, cotangents in actual for part in (z, *cotangents)]
    flat_expected = [part for z, cotangents in expected for part in (z, *cotangents)]
    return compare(name, names, flat_actual, flat_expected, allowed_error(args))
