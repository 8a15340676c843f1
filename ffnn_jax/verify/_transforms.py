"""Checks that JAX's transformations do not change the rule, in float64, at one set of sizes.

The transformed rule is compared with the compiled operation, called once per example.
"""

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ffnn_jax.verify import _compare, _subject
from ffnn_jax.verify._arguments import Sizes, at_sizes
from ffnn_jax.verify._compare import allowed_error, compare, largest
from ffnn_jax.verify._differences import sides_with_the_rule
from ffnn_jax.verify._result import Check
from ffnn_jax.verify._rule import Function
from ffnn_jax.verify._subject import Subject, dot, in_float64, value_and_cotangents, with_reals
from ffnn_jax.verify._values import excused

_BATCH_SIZE = 2
_ALL_CHOICES_UP_TO = 3
_CHOICES = 9
_PARTIALS = 8
_SECOND_ORDER = 10.0  # times the tolerance of a first derivative
_EPSILON = float(np.finfo(np.float64).eps)
_ROUNDINGS, _ROUNDINGS_FORWARD = 256 * _EPSILON, 64 * _EPSILON


def check_jit(subject: Subject, sizes: Sizes, seed: int) -> Iterator[Check]:
    """Uncompiled, operation by operation, the rule gives the same results as compiled."""
    generator = np.random.default_rng(seed)
    args, dz = subject.draw_pair(generator, sizes)
    args, others = jax.tree.map(jnp.asarray, (args, subject.draw(generator, sizes)))
    z, pull = _subject.vjp_of_reals(subject.op, subject.reals, args)
    # Code that keeps its residuals outside of the rule would notice a second call.
    _subject.vjp_of_reals(subject.op, subject.reals, others)
    eager = z, pull(jax.tree.map(lambda d, leaf: jnp.asarray(d, leaf.dtype), dz, z))
    plain = subject.op(*args), eager[1]  # the value of an operation that is not differentiated
    for uncompiled in (eager, plain):
        yield _same_pulls(subject, "jit", [uncompiled], [subject.pull(args, dz)], args)


def check_partial(subject: Subject, sizes: Sizes, seed: int) -> Iterator[Check]:
    """With a symbolic zero for all arguments but one, or all outputs but one, nothing changes."""
    args, dz = subject.draw_pair(np.random.default_rng(seed), sizes)
    leaves, tree = jax.tree.flatten(dz)
    if len(subject.reals) == len(leaves) == 1:
        return
    inputs = subject.reals[:_PARTIALS]
    outputs = range(len(leaves) if len(leaves) > 1 else 0)[:_PARTIALS]

    def output(j: int) -> Function:
        return lambda *arrays: jax.tree.leaves(subject.op(*arrays))[j]

    @jax.jit
    def alone(args: Any, leaves: Any) -> Any:
        dz, pull = tree.unflatten(leaves), value_and_cotangents
        by_input = [pull(subject.op, (i,), args, dz)[1] for i in inputs]
        by_output = [pull(output(j), subject.reals, args, leaves[j])[1] for j in outputs]
        return [*itertools.chain(*by_input, *by_output)]

    expected = list(subject.pull(args, dz)[1][:_PARTIALS])
    names = [f"{name} alone" for name in subject.cotangent_names[:_PARTIALS]]
    for j in outputs:
        only = [leaf * (i == j) for i, leaf in enumerate(leaves)]
        expected += subject.pull(args, tree.unflatten(only))[1]
        names += [f"{name} from output {j} alone" for name in subject.cotangent_names]
    yield _same(subject, "partial", names, alone(args, leaves), expected, args, dz)


def check_vmap(subject: Subject, sizes: Sizes, seed: int) -> Iterator[Check]:
    """Mapped over any choice of its arguments, the rule gives the same results as one by one."""
    stacks, dz = _examples(subject, sizes, seed)
    choices = _axis_choices(len(stacks))
    one = functools.partial(value_and_cotangents, subject.op, subject.reals)

    def chosen(stacks: Any, axes: Any, example: Any) -> list[Any]:
        """An example of each mapped argument, and the first example of the others."""
        return [s[example if a == 0 else 0] for s, a in zip(stacks, axes, strict=True)]

    def at_once(axes: Any, stacks: Any, dz: Any) -> Any:
        return jax.vmap(one, in_axes=(list(axes), 0))(chosen(stacks, axes, slice(None)), dz)

    def one_by_one(axes: Any) -> Any:
        pull, examples = subject.pull, range(_BATCH_SIZE)
        return _stacked(pull(chosen(stacks, axes, m), _example(dz, m)) for m in examples)

    mapped = jax.jit(lambda stacks, dz: [at_once(axes, stacks, dz) for axes in choices])(stacks, dz)
    labels = [f" mapped {''.join('m' if a == 0 else '.' for a in axes)}" for axes in choices]
    yield _same_pulls(subject, "vmap", mapped, list(map(one_by_one, choices)), stacks, labels)


def _axis_choices(count: int) -> Sequence[tuple[int | None, ...]]:
    """``in_axes``: every choice among few arguments; of more, all, only one, and all but one."""
    if count <= _ALL_CHOICES_UP_TO:
        return list(itertools.product((0, None), repeat=count))[:-1]
    only = [tuple(0 if i == j else None for j in range(count)) for i in range(count)]
    but = [tuple(None if i == j else 0 for j in range(count)) for i in range(count)]
    return [(0,) * count, *only, *but][:_CHOICES]


def check_scan(subject: Subject, sizes: Sizes, seed: int) -> Iterator[Check]:
    """Reverse mode through a scan over examples gives the cotangents of each example."""
    stacks, dz = _examples(subject, sizes, seed)

    def total(reals: Any) -> Any:
        def add(carry: Any, example: Any) -> tuple[Any, None]:
            args, dz = example
            return carry + _subject.inner(subject.op(*args), dz).astype(carry.dtype), None

        args = with_reals(stacks, subject.reals, reals)
        return jax.lax.scan(add, jnp.zeros(()), (args, dz))[0]

    cotangents = jax.jit(jax.grad(total))([stacks[i] for i in subject.reals])
    expected = _stacked(subject.pull(*_example((stacks, dz), m))[1] for m in range(_BATCH_SIZE))
    yield _same(subject, "scan", subject.cotangent_names, cotangents, expected, stacks, dz)


def check_remat(subject: Subject, sizes: Sizes, seed: int) -> Iterator[Check]:
    """Rematerialised with ``jax.checkpoint``, the rule gives the same results as without."""
    args, dz = subject.draw_pair(np.random.default_rng(seed), sizes)
    op = jax.checkpoint(subject.op)
    remat = jax.jit(functools.partial(value_and_cotangents, op, subject.reals))
    yield _same_pulls(subject, "remat", [remat(args, dz)], [subject.pull(args, dz)], args)


def check_jvp(subject: Subject, sizes: Sizes, seed: int, scaled: bool) -> Iterator[Check]:
    """The tangent of an operation that has forward mode equals the reference's."""
    generator = np.random.default_rng(seed)
    draws = [(at_sizes(sizes), subject.draw(generator, sizes))]
    for name, args in subject.scaled_draws(sizes, seed) if scaled else ():
        draws.append((f" at {name}", args))
    for where, args in draws:
        yield _compare_tangents(subject, args, subject.draw_direction(generator, args), where)


def has_forward_mode(subject: Subject, sizes: Sizes) -> bool:
    """Whether forward mode is defined; jax raises a TypeError for a ``custom_vjp``."""
    generator = np.random.default_rng(0)
    args = subject.draw(generator, sizes)
    tangents = subject.draw_direction(generator, args)
    try:
        with jax.enable_x64(subject.wide):
            _compiled_tangents(subject.op, subject.reals)(args, tangents)
    except Exception as error:  # the row will say what else is wrong
        return "custom_vjp" not in str(error)
    return True


def _compare_tangents(subject: Subject, args: Any, tangents: Any, where: str) -> Check:
    ours = _compiled_tangents(subject.op, subject.reals)(args, tangents)
    allowed, floor = allowed_error(subject, args), _ROUNDINGS_FORWARD * largest(tangents)
    if subject.reference is None:  # <J v, u> = <v, J^T u>, with the rule's own cotangents
        u = subject.draw_cotangent(np.random.default_rng(0), args)
        left, right = dot(ours, u), dot(tangents, subject.pull(args, u)[1])
        return compare("jvp", ("dz",), (left,), (right,), allowed, where, floor)
    pushed = in_float64(_compiled_tangents(subject.reference, subject.reals))
    theirs = pushed(args, tangents)
    explained = _compare.conditioning(lambda a: pushed(a, tangents), subject, args, theirs)
    slack = [leaf + floor for leaf in explained]
    return compare("jvp", ("dz",), (ours,), (theirs,), allowed, where, slack)


def check_second_order(subject: Subject, sizes: Sizes, seed: int, scaled: bool) -> Iterator[Check]:
    """The gradient of a gradient, which differentiates the backward, equals the reference's."""
    generator = np.random.default_rng(seed)
    ordinary, base = subject.draw(generator, sizes), None
    if subject.reference is None:
        yield _second_differences(subject, ordinary, generator)
        return
    compiled = in_float64(compiled_slope(subject.truth, subject.reals))
    for name, args in [("", ordinary), *(subject.scaled_draws(sizes, seed) if scaled else ())]:
        dz = subject.draw_cotangent(generator, args)
        direction = subject.draw_direction(generator, args)
        theirs = compiled(args, dz, direction)
        if name and not _compare.all_finite(theirs):
            continue
        base = base or [_compare.typical_size(leaf) for leaf in jax.tree.leaves(theirs)]
        yield _second_order(subject, args, dz, direction, theirs, base, name and f" at {name}")


def _second_order(
    subject: Subject, args: Any, dz: Any, direction: Any, theirs: Any, base: Any, where: str
) -> Check:
    """Compares at one draw, with what rounding explains."""
    ours = compiled_slope(subject.op, subject.reals)(args, dz, direction)
    compiled = in_float64(compiled_slope(subject.truth, subject.reals))
    explained = _compare.conditioning(lambda a: compiled(a, dz, direction), subject, args, theirs)
    floors = [largest((dz, direction))] * len(jax.tree.leaves(dz))
    slope = largest(theirs[0]) * largest(dz)  # what rounds before it is differentiated once more
    floors += [1 + slope / np.where(args[i] == 0, 1.0, np.abs(args[i])) for i in subject.reals]
    terms = zip(explained, base, floors, strict=True)
    slack = [leaf + _ROUNDINGS * (size + floor) for leaf, size, floor in terms]
    places = {f"d(d{subject.names[i]})": i for i in subject.reals}
    names, allowed = ("d(dz)", *places), _SECOND_ORDER * allowed_error(subject, args)
    row = compare("grad of grad", names, ours, theirs, allowed, where, slack, example=(args, dz))
    if where and not row.passed:
        pull = subject.reference_pull
        wrong = sides_with_the_rule(lambda a: dot(direction, pull(a, dz)[1]), args, places, row)
        row = excused(row) if wrong else row
    return row


def _second_differences(subject: Subject, args: Any, generator: np.random.Generator) -> Check:
    """The derivative of a slope along one direction, against a difference of the rule's own."""
    dz = subject.draw_cotangent(generator, args)
    direction, way = (subject.draw_direction(generator, args) for _ in range(2))
    gradients = compiled_slope(subject.op, subject.reals)(args, dz, direction)
    step = max(_EPSILON, subject.rule.rtol or 0.0) ** (1 / 3)

    def slope(change: float) -> float:
        moved = [args[i] + change * w for i, w in zip(subject.reals, way, strict=True)]
        return dot(direction, subject.pull(with_reals(args, subject.reals, moved), dz)[1])

    quotient = (slope(step) - slope(-step)) / (2 * step)
    derivative, allowed = dot(way, gradients[1:]), 1e3 * step**2
    slack = allowed * largest((dz, direction))
    return compare("grad of grad", ("d(dx)",), (derivative,), (quotient,), allowed, slack=slack)


@functools.lru_cache(maxsize=32)
def compiled_slope(f: Function, reals: tuple[int, ...]) -> Function:
    """Gradient, in dz and every real argument, of the slope of <f, dz> in one direction."""

    @jax.jit
    def gradient(args: Any, dz: Any, direction: Any) -> Any:
        def slope(dz: Any, *chosen: Any) -> Any:
            _, cotangents = value_and_cotangents(f, reals, with_reals(args, reals, chosen), dz)
            return _subject.inner(cotangents, direction)

        argnums = tuple(range(1 + len(reals)))
        return jax.grad(slope, argnums)(dz, *(args[i] for i in reals))

    return gradient


@functools.lru_cache(maxsize=32)
def _compiled_tangents(f: Function, reals: tuple[int, ...]) -> Function:
    def tangents_of(args: Any, tangents: Any) -> Any:
        chosen = [args[i] for i in reals]
        return jax.jvp(lambda *moved: f(*with_reals(args, reals, moved)), chosen, tangents)[1]

    return jax.jit(tangents_of)


def _examples(subject: Subject, sizes: Sizes, seed: int) -> tuple[list[np.ndarray], Any]:
    """Arguments and cotangents of several examples, stacked along a leading axis."""
    generator = np.random.default_rng(seed)
    return _stacked(subject.draw_pair(generator, sizes) for _ in range(_BATCH_SIZE))


def _stacked(examples: Any) -> Any:
    return jax.tree.map(lambda *parts: np.stack(parts), *examples)


def _example(tree: Any, index: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[index], tree)


def _same(
    subject: Subject, name: str, names: Any, actual: Any, expected: Any, args: Any, dz: Any = ()
) -> Check:
    """Compares with room for rounding at the size of the results, and of the cotangent."""
    allowed, slack = allowed_error(subject, args), _ROUNDINGS * largest((expected, dz))
    return compare(name, names, actual, expected, allowed, slack=slack)


def _same_pulls(
    subject: Subject, name: str, actual: Any, expected: Any, args: Any, labels: Any = ("",)
) -> Check:
    """Compares a (value, cotangents) for each label, naming each cotangent."""
    names = [part + label for label in labels for part in ("z", *subject.cotangent_names)]
    ours, theirs = ([x for z, pulled in y for x in (z, *pulled)] for y in (actual, expected))
    return _same(subject, name, names, ours, theirs, args)
