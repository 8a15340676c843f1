"""Checks that JAX's transformations do not change the rule, in float64, at one set of sizes.

The transformed rule is compared with the compiled operation, called once per example.
"""

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ffnn_jax.verify._arguments import Sizes
from ffnn_jax.verify._compare import allowed_error, compare, largest, share_finite, typical_size
from ffnn_jax.verify._referee import sides_with_the_rule
from ffnn_jax.verify._result import Check, worst_of
from ffnn_jax.verify._subject import (
    Function,
    Subject,
    in_float64,
    value_and_cotangents,
    with_reals,
)
from ffnn_jax.verify._values import UNUSABLE, dot

_BATCH_SIZE = 2
_ALL_CHOICES_UP_TO = 3
_CHOICES = 9
_PARTIALS = 8
_SECOND_ORDER = 10.0  # times the tolerance of a first derivative
_ROUNDINGS = 256 * float(np.finfo(np.float64).eps)
_CONDITIONING = 1000.0
_NUDGE = 4 * float(np.finfo(np.float64).eps)


def check_jit(subject: Subject, sizes: Sizes, seed: int) -> Check:
    """Uncompiled, operation by operation, the rule gives the same results as compiled.

    Between forward and backward pass the operation is called once more, as code that keeps its
    residuals outside of the rule would notice.
    """
    generator = np.random.default_rng(seed)
    drawn = subject.draw(generator, sizes)
    args = [jnp.asarray(arg) for arg in drawn]
    dz = jax.tree.map(jnp.asarray, subject.draw_cotangent(generator, drawn))
    others = [jnp.asarray(arg) for arg in subject.draw(generator, sizes)]

    z, pull = _vjp(subject, args)
    _vjp(subject, others)
    eager = z, pull(jax.tree.map(lambda d, leaf: jnp.asarray(d, leaf.dtype), dz, z))
    plain = subject.op(*args), eager[1]  # the value of an operation that is not differentiated
    compiled = subject.pull(args, dz)
    return worst_of(
        _compare_pulls(subject, "jit", result, compiled, args) for result in (eager, plain)
    )


def _vjp(subject: Subject, args: Any) -> tuple[Any, Any]:
    """``jax.vjp`` in the real arguments."""

    def of_reals(*chosen: Any) -> Any:
        return subject.op(*with_reals(args, subject.reals, chosen))

    return jax.vjp(of_reals, *(args[i] for i in subject.reals))


def check_partial(subject: Subject, sizes: Sizes, seed: int) -> Check | None:
    """One argument's cotangent alone, or those of one output alone, are those found together.

    Detects rules that treat a missing tangent or cotangent (a symbolic zero) as a missing term.
    """
    generator = np.random.default_rng(seed)
    args = subject.draw(generator, sizes)
    dz = subject.draw_cotangent(generator, args)
    leaves, tree = jax.tree.flatten(dz)
    if len(subject.reals) == len(leaves) == 1:
        return None
    inputs = subject.reals[:_PARTIALS]
    outputs = range(len(leaves) if len(leaves) > 1 else 0)[:_PARTIALS]

    @jax.jit
    def alone(args: Any, dz: Any) -> Any:
        by_input = [value_and_cotangents(subject.op, (i,), args, dz)[1][0] for i in inputs]
        return by_input, [_from_output(subject, j, args, jax.tree.leaves(dz)[j]) for j in outputs]

    by_input, by_output = alone(args, dz)
    together = dict(zip(subject.reals, subject.pull(args, dz)[1], strict=True))
    expected = [together[i] for i in inputs]
    names = [f"d{subject.names[i]} alone" for i in inputs]
    for j in outputs:
        only = [leaf * (i == j) for i, leaf in enumerate(leaves)]
        expected += subject.pull(args, tree.unflatten(only))[1]
        names += [f"{name} from output {j} alone" for name in subject.cotangent_names]
    actual = [*by_input, *(cotangent for cotangents in by_output for cotangent in cotangents)]
    allowed, slack = allowed_error(subject, args), _ROUNDINGS * largest((expected, dz))
    return compare("partial", names, actual, expected, allowed, slack=slack)


def _from_output(subject: Subject, index: int, args: Any, dz: Any) -> Any:
    def one_output(*arrays: Any) -> Any:
        return jax.tree.leaves(subject.op(*arrays))[index]

    return value_and_cotangents(one_output, subject.reals, args, dz)[1]


def check_vmap(subject: Subject, sizes: Sizes, seed: int) -> Check:
    """Mapped over any choice of its arguments, the rule gives the same results as one by one.

    With up to three arguments, every choice is tried; with more, all, only one, and all but one.
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
    if count <= _ALL_CHOICES_UP_TO:
        return list(itertools.product((0, None), repeat=count))[:-1]
    only = [tuple(0 if i == j else None for j in range(count)) for i in range(count)]
    but = [tuple(None if i == j else 0 for j in range(count)) for i in range(count)]
    return [(0,) * count, *only, *but][:_CHOICES]


def check_scan(subject: Subject, sizes: Sizes, seed: int) -> Check:
    """Reverse mode through a scan over examples gives the cotangents of each example."""
    stacks, dz = _examples(subject, sizes, seed)

    def total(*reals: Any) -> Any:
        def add(carry: Any, example: Any) -> tuple[Any, None]:
            args, dz = example
            return carry + _inner(subject.op(*args), dz).astype(carry.dtype), None

        args = with_reals(stacks, subject.reals, reals)
        return jax.lax.scan(add, jnp.zeros(()), (args, dz))[0]

    reals = [stacks[i] for i in subject.reals]
    cotangents = jax.jit(jax.grad(total, argnums=tuple(range(len(reals)))))(*reals)
    one_by_one = [
        subject.pull([s[m] for s in stacks], _example(dz, m))[1] for m in range(_BATCH_SIZE)
    ]
    expected = _stacked(one_by_one)
    names, allowed = subject.cotangent_names, allowed_error(subject, stacks)
    slack = _ROUNDINGS * largest((expected, dz))
    return compare("scan", names, cotangents, expected, allowed, slack=slack)


def check_remat(subject: Subject, sizes: Sizes, seed: int) -> Check:
    """Rematerialised with ``jax.checkpoint``, the rule gives the same results as without."""
    generator = np.random.default_rng(seed)
    args = subject.draw(generator, sizes)
    dz = subject.draw_cotangent(generator, args)
    remat = jax.jit(
        functools.partial(value_and_cotangents, jax.checkpoint(subject.op), subject.reals)
    )
    return _compare_pulls(subject, "remat", remat(args, dz), subject.pull(args, dz), args)


def check_second_order(
    subject: Subject, sizes: Sizes, seed: int, scaled: bool = True
) -> Check | None:
    """The gradient of a gradient, which differentiates the backward, equals the reference's.

    Detects residuals detached from the arguments that they depend on, also at many magnitudes.
    Without a reference, it is compared with differences of the rule's own cotangents.
    """
    if subject.rule.order == 1:
        return None
    generator = np.random.default_rng(seed)
    ordinary = subject.draw(generator, sizes)
    if subject.reference is None:
        return _second_differences(subject, ordinary, generator)
    rows, base = [], None
    for name, args in [("", ordinary), *(subject.scaled_draws(sizes, seed) if scaled else ())]:
        dz = subject.draw_cotangent(generator, args)
        row, base = _second_order(subject, args, dz, generator, name and f" at {name}", base)
        rows += [row] if row else []
    return worst_of(rows) if rows else None


def _second_order(
    subject: Subject, args: Any, dz: Any, generator: np.random.Generator, where: str, base: Any
) -> tuple[Check | None, list[float]]:
    """Compares at one draw, if the reference is finite; also returns the first typical sizes."""
    direction = [_like(generator, args[i]) for i in subject.reals]
    ours = _compiled_slope(subject.op, subject.reals)(args, dz, direction)
    compiled = in_float64(_compiled_slope(subject.truth, subject.reals))
    theirs = compiled(args, dz, direction)
    if where and share_finite(theirs) < 1:
        return None, base
    nearby = with_reals(args, subject.reals, [args[i] * (1 + _NUDGE) for i in subject.reals])
    moved = jax.tree.leaves(compiled(nearby, dz, direction))
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(theirs)]
    sizes = [typical_size(leaf) for leaf in leaves]
    floors = [_ROUNDINGS * largest((dz, direction))] * len(jax.tree.leaves(dz))
    slope = largest(theirs[0]) * largest(dz)  # what rounds before it is differentiated once more
    floors += [_ROUNDINGS * (1 + slope / _away_from_zero(args[i])) for i in subject.reals]
    with np.errstate(invalid="ignore", over="ignore"):
        slack = [
            np.nan_to_num(_CONDITIONING * np.abs(np.asarray(m) - leaf)) + _ROUNDINGS * b + floor
            for m, leaf, b, floor in zip(moved, leaves, base or sizes, floors, strict=True)
        ]
    names = ("d(dz)", *(f"d(d{subject.names[i]})" for i in subject.reals))
    allowed = _SECOND_ORDER * allowed_error(subject, args)
    row = compare("grad of grad", names, ours, theirs, allowed, where, slack)
    if where and not row.passed and _reference_is_wrong(subject, args, dz, direction, row):
        row = dataclasses.replace(row, passed=True, worst=0.0, note=UNUSABLE, parts=())
    return dataclasses.replace(row, example=(args, dz)), base or sizes


def _reference_is_wrong(subject: Subject, args: Any, dz: Any, direction: Any, row: Check) -> bool:
    """Whether differences of the reference's slope side with the rule in every argument."""
    places = {f"d(d{subject.names[i]})": i for i in subject.reals}

    def slope(arrays: list[Any]) -> float:
        return dot(tuple(direction), subject.reference_pull(arrays, dz)[1])

    return all(
        part.name in places and sides_with_the_rule(slope, args, places[part.name], part)
        for part in row.parts
    )


def _second_differences(subject: Subject, args: Any, generator: np.random.Generator) -> Check:
    """The derivative of a slope along one direction, against a difference of two slopes."""
    dz = subject.draw_cotangent(generator, args)
    direction = [_like(generator, args[i]) for i in subject.reals]
    way = [_like(generator, args[i]) for i in subject.reals]
    gradients = _compiled_slope(subject.op, subject.reals)(args, dz, direction)
    step = max(float(np.finfo(np.float64).eps), subject.rule.rtol or 0.0) ** (1 / 3)

    def slope(sign: float) -> float:
        moved = [args[i] + sign * step * w for i, w in zip(subject.reals, way, strict=True)]
        _, cotangents = subject.pull(with_reals(args, subject.reals, moved), dz)
        return dot(tuple(direction), cotangents)

    quotient = (slope(1.0) - slope(-1.0)) / (2 * step)
    derivative = dot(tuple(way), gradients[1:])
    allowed = 1e3 * step**2
    slack = allowed * largest((dz, direction))
    return compare("grad of grad", ("d(dx)",), (derivative,), (quotient,), allowed, slack=slack)


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
    return jnp.asarray(sum(jnp.sum(p * q).real for p, q in pairs))


def _away_from_zero(array: Any) -> np.ndarray:
    size = np.abs(np.asarray(array))
    return np.where(size > 0, size, 1.0)


def _like(generator: np.random.Generator, array: np.ndarray) -> np.ndarray:
    normal = generator.normal(size=array.shape)
    return normal + 1j * generator.normal(size=array.shape) if np.iscomplexobj(array) else normal


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
    allowed, slack = allowed_error(subject, args), _ROUNDINGS * largest(flat_expected)
    return compare(name, names, flat_actual, flat_expected, allowed, slack=slack)
