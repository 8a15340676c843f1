"""Checks of values and cotangents in float64, at one set of sizes."""

import math
from typing import Any

import jax
import numpy as np

from ffnn_jax.verify._arguments import Sizes, at_sizes
from ffnn_jax.verify._compare import allowed_error, compare
from ffnn_jax.verify._result import Check, worst_of
from ffnn_jax.verify._subject import Arrays, Subject, with_reals

DRAWS = 3
_ALL_COORDINATES_UP_TO = 400
_DIRECTIONS = 8
# A central difference errs by h^2 from curvature and by eps / h from rounding; the total is least,
# near 4e-11, at h = eps^(1/3). The tolerance leaves room for curvature and for long sums.
_STEP = float(np.finfo(np.float64).eps) ** (1 / 3)
_DIFFERENCE_TOLERANCE = 1e-7


def check_value(subject: Subject, sizes: Sizes, seed: int) -> Check:
    """The value equals the reference's, both when called directly and through the forward rule.

    Detects a wrong forward; does not test the backward.
    """
    names = ("z", "z of the forward")
    return worst_of(
        compare("value", names, (z, ours), (theirs, theirs), allowed_error(args), at_sizes(sizes))
        for args, (ours, _), (theirs, _) in _draw_results(subject, sizes, seed)
        for z in (subject.value(*args),)
    )


def check_cotangents(subject: Subject, sizes: Sizes, seed: int) -> Check:
    """Every cotangent equals autodiff of the reference, for random cotangents of the output.

    Detects any fault that changes a number by more than 1e-9 at random arguments: the one
    indispensable check. It misses faults at kinks, which random arguments never hit, and under
    transformations or in other dtypes.
    """
    names = subject.cotangent_names
    return worst_of(
        compare("cotangents", names, ours, theirs, allowed_error(args), at_sizes(sizes))
        for args, (_, ours), (_, theirs) in _draw_results(subject, sizes, seed)
    )


def check_differences(subject: Subject, sizes: Sizes, seed: int) -> Check:
    """Every cotangent equals central differences of the operation's own value.

    This check uses neither autodiff nor the reference. Small arguments are moved one coordinate
    at a time, large ones in random directions.
    """
    generator = np.random.default_rng(seed)
    args = subject.draw(generator, sizes)
    dz = subject.draw_cotangent(generator, args)
    _, cotangents = subject.pull(args, dz)
    return worst_of(
        _differences(subject, index, args, dz, np.asarray(cotangent), generator, sizes)
        for index, cotangent in zip(subject.reals, cotangents, strict=True)
    )


def check_adjoint(subject: Subject, sizes: Sizes, seed: int) -> Check | None:
    """For an argument in which the operation is affine, <J v, u> = <v, J^T u>.

    J v is f(x + v) - f(x), without any derivative, so the check stays exact up to rounding for
    large arguments. It compares a single number per draw, so a small fault can cancel.
    """
    if not subject.linear:
        return None
    generator = np.random.default_rng(seed)
    checks = []
    for index in subject.linear * DRAWS:
        args = subject.draw(generator, sizes)
        step = subject.arguments[index].draw(generator, sizes)  # keeps x + v in the domain
        moved = [arg + step if i == index else arg for i, arg in enumerate(args)]
        u = subject.draw_cotangent(generator, args)
        change = jax.tree.map(np.subtract, subject.value(*moved), subject.value(*args))
        cotangent = subject.pull(args, u)[1][subject.reals.index(index)]
        name, allowed = f"d{subject.names[index]}", allowed_error(args)
        left, right = _dot(change, u), _dot(step, cotangent)
        checks.append(compare("adjoint", (name,), (right,), (left,), allowed, at_sizes(sizes)))
    return worst_of(checks)


def check_exact(subject: Subject, sizes: Sizes, seed: int) -> Check | None:
    """On small integers, value and cotangents equal the reference's, bit for bit.

    Sums and products of integers do not round, so no tolerance can hide a fault.
    """
    if not subject.exact:
        return None
    generator = np.random.default_rng(seed)
    args = [argument.draw_integers(generator, sizes) for argument in subject.arguments]
    dz = jax.tree.map(np.round, subject.draw_cotangent(generator, args))
    ours, theirs = subject.pull(args, dz), subject.reference_pull(args, dz)
    names = ("z", "cotangents")
    return compare("exact", names, ours, theirs, 0.0, at_sizes(sizes))


def check_linearity(subject: Subject, sizes: Sizes, seed: int) -> Check:
    """The backward B is linear in the cotangent: B(a u + b v) = a B(u) + b B(v).

    Detects a cotangent that is dropped, squared or clipped, without using the reference.
    """
    generator = np.random.default_rng(seed)
    args = subject.draw(generator, sizes)
    u, v = subject.draw_cotangent(generator, args), subject.draw_cotangent(generator, args)
    both = jax.tree.map(lambda p, q: 2.5 * p + 1.5 * q, u, v)
    of_u, of_v, of_both = (
        jax.tree.map(np.asarray, subject.pull(args, dz)[1]) for dz in (u, v, both)
    )
    expected = jax.tree.map(lambda p, q: 2.5 * p + 1.5 * q, of_u, of_v)
    names, allowed = subject.cotangent_names, allowed_error(args)
    return compare("linearity", names, of_both, expected, allowed, at_sizes(sizes))


def check_zero(subject: Subject, sizes: Sizes, seed: int) -> Check:
    """A zero cotangent gives zero cotangents, exactly."""
    generator = np.random.default_rng(seed)
    args = subject.draw(generator, sizes)
    dz = jax.tree.map(np.zeros_like, subject.draw_cotangent(generator, args))
    _, cotangents = subject.pull(args, dz)
    zeros = jax.tree.map(np.zeros_like, cotangents)
    return compare("zero", subject.cotangent_names, cotangents, zeros, 0.0, at_sizes(sizes))


def check_kinks(subject: Subject) -> Check | None:
    """At each declared kink, the cotangents equal those of the convention exactly."""
    if not subject.kinks:
        return None
    return worst_of(
        compare(
            "kinks",
            subject.cotangent_names,
            subject.pull(kink.args, kink.cotangent)[1],
            kink.expected,
            0.0,
            f" at {kink.name}",
        )
        for kink in subject.kinks
    )


def check_empty_batch(subject: Subject, sizes: Sizes, seed: int) -> Check | None:
    """A batch of size 0 gives the same results as the reference, including shapes and NaN."""
    if not (subject.empty_batch and subject.batch):
        return None
    sizes = {**sizes, subject.batch: 0}
    generator = np.random.default_rng(seed)
    args = subject.draw(generator, sizes)
    dz = subject.draw_cotangent(generator, args)
    ours, theirs = subject.pull(args, dz), subject.reference_pull(args, dz)
    return compare("empty batch", ("z", "cotangents"), ours, theirs, 0.0, at_sizes(sizes))


def _draw_results(subject: Subject, sizes: Sizes, seed: int) -> list[tuple[Arrays, Any, Any]]:
    """(args, the operation's results, the reference's results) for a few random draws."""
    generator, results = np.random.default_rng(seed), []
    for _ in range(DRAWS):
        args = subject.draw(generator, sizes)
        dz = subject.draw_cotangent(generator, args)
        results.append((args, subject.pull(args, dz), subject.reference_pull(args, dz)))
    return results


def _differences(
    subject: Subject,
    index: int,
    args: Arrays,
    dz: Any,
    cotangent: np.ndarray,
    generator: np.random.Generator,
    sizes: Sizes,
) -> Check:
    """Compares difference quotients in one argument with its cotangent in the same directions."""
    shape, size = args[index].shape, args[index].size
    if size <= _ALL_COORDINATES_UP_TO:
        directions = np.eye(size).reshape(size, *shape)
    else:
        directions = generator.normal(size=(_DIRECTIONS, *shape)) / math.sqrt(size)

    def moved(step: np.ndarray) -> Any:
        return subject.value(*with_reals(args, (index,), (args[index] + step,)))

    changes = [
        jax.tree.map(np.subtract, moved(_STEP * d), moved(-_STEP * d)) for d in directions
    ]  # before the sum over outputs, so that its rounding is not divided by the step
    rises = [_dot(change, dz) for change in changes]
    quotients = np.array(rises) / (2 * _STEP)
    expected = np.array([_dot(d, cotangent) for d in directions])
    if size <= _ALL_COORDINATES_UP_TO:
        quotients, expected = quotients.reshape(shape), expected.reshape(shape)
    name = f"d{subject.names[index]}"
    return compare(
        "differences", (name,), (expected,), (quotients,), _DIFFERENCE_TOLERANCE, at_sizes(sizes)
    )


def _dot(a: Any, b: Any) -> float:
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return float(sum(np.vdot(np.asarray(p), np.asarray(q)) for p, q in pairs))
