"""Checks of values and cotangents in float64, at one set of sizes."""

import dataclasses
from typing import Any

import jax
import numpy as np

from ffnn_jax.verify._arguments import Sizes, at_sizes
from ffnn_jax.verify._compare import allowed_error, cancelled, compare, rounding_slack
from ffnn_jax.verify._layout import arrays_of, split_outputs
from ffnn_jax.verify._referee import sides_with_the_rule
from ffnn_jax.verify._result import Check, worst_of
from ffnn_jax.verify._rule import Kink
from ffnn_jax.verify._stated import flat_cotangents
from ffnn_jax.verify._subject import Arrays, Subject

DRAWS = 3
_CANCELLED = 1e-3
UNUSABLE = "the reference is unusable at some magnitudes"


def check_value(subject: Subject, sizes: Sizes, seed: int) -> Check | None:
    """Every output equals the reference's, integers and booleans too.

    Detects a wrong forward; does not test the backward.
    """
    if subject.rule.reference is None:
        return None
    return worst_of(
        _value(subject, args, dz, theirs, at_sizes(sizes))
        for args, dz, _, theirs in draw_results(subject, sizes, seed)
    )


def check_cotangents(subject: Subject, sizes: Sizes, seed: int) -> Check | None:
    """Every cotangent equals autodiff of the reference, for random cotangents of the output.

    Detects any fault that changes a number by more than 1e-9 at random arguments: the one
    indispensable check. It misses faults at kinks, which random arguments never hit, and under
    transformations or in other dtypes.
    """
    if subject.reference is None:
        return None
    return worst_of(
        compare_results("cotangents", subject, args, dz, ours, theirs, at_sizes(sizes))
        for args, dz, ours, theirs in draw_results(subject, sizes, seed)
    )


def check_adjoint(subject: Subject, sizes: Sizes, seed: int) -> Check | None:
    """For an argument in which the operation is affine, <J v, u> = <v, J^T u>.

    J v is f(x + v) - f(x), without any derivative, so the check stays exact up to rounding for
    large arguments. It compares a single number per draw, so a small fault can cancel.
    """
    affine = [i for i in subject.reals if subject.layout.owners[i] in subject.rule.linear]
    if not affine or subject.rule.backward is not None:
        return None
    generator = np.random.default_rng(seed)
    checks = []
    for index in affine * DRAWS:
        args = subject.draw(generator, sizes)
        step = subject.draw(generator, sizes)[index]  # keeps x + v in the domain
        moved = [arg + step if i == index else arg for i, arg in enumerate(args)]
        u = subject.draw_cotangent(generator, args)
        change = jax.tree.map(np.subtract, subject.value(*moved), subject.value(*args))
        cotangent = subject.pull(args, u)[1][subject.reals.index(index)]
        name, allowed = f"d{subject.names[index]}", allowed_error(subject, args)
        left, right = dot(change, u), dot(step, cotangent)
        slack = allowed * _product_size(step, cotangent)
        row = compare("adjoint", (name,), (right,), (left,), allowed, at_sizes(sizes), slack)
        checks.append(row)
    return worst_of(checks)


def check_exact(subject: Subject, sizes: Sizes, seed: int) -> Check | None:
    """On small integers, value and cotangents equal the reference's, bit for bit.

    Sums and products of integers do not round, so no tolerance can hide a fault.
    """
    if not subject.rule.exact or subject.reference is None:
        return None
    generator = np.random.default_rng(seed)
    drawn = zip(subject.words, subject.draw(generator, sizes), strict=True)
    args = [word.draw_integers(generator, sizes) if word else array for word, array in drawn]
    dz = jax.tree.map(np.round, subject.draw_cotangent(generator, args))
    (z, ours), (value, theirs) = subject.pull(args, dz), subject.reference_pull(args, dz)
    names = ("z", *subject.cotangent_names)
    return compare("exact", names, (z, *ours), (value, *theirs), 0.0, at_sizes(sizes))


def check_linearity(subject: Subject, sizes: Sizes, seed: int) -> Check | None:
    """The backward B is linear in the cotangent: B(a u + b v) = a B(u) + b B(v).

    Detects a cotangent that is dropped, squared or clipped, without using the reference. A stated
    backward need not be linear; then nothing is checked.
    """
    generator = np.random.default_rng(seed)
    args = subject.draw(generator, sizes)
    u, v = subject.draw_cotangent(generator, args), subject.draw_cotangent(generator, args)
    if subject.rule.backward:
        stated = _linearity(subject, subject.reference_pull, args, u, v)
        if not stated.passed:
            return None
    row = _linearity(subject, subject.pull, args, u, v)
    return dataclasses.replace(row, where=row.where + at_sizes(sizes), example=(args, u))


def check_zero(subject: Subject, sizes: Sizes, seed: int) -> Check | None:
    """A zero cotangent gives zero cotangents, exactly."""
    generator = np.random.default_rng(seed)
    args = subject.draw(generator, sizes)
    dz = jax.tree.map(np.zeros_like, subject.draw_cotangent(generator, args))
    if subject.rule.backward:
        expected = jax.tree.leaves(subject.reference_pull(args, dz)[1])
        if any(np.any(np.asarray(leaf) != 0) for leaf in expected):
            return None
    _, cotangents = subject.pull(args, dz)
    zeros = jax.tree.map(np.zeros_like, cotangents)
    row = compare("zero", subject.cotangent_names, cotangents, zeros, 0.0, at_sizes(sizes))
    return dataclasses.replace(row, example=(args, dz))


def check_kinks(subject: Subject) -> Check | None:
    """At each declared kink, value and cotangents are those of the convention."""
    if not subject.rule.kinks:
        return None
    return worst_of(_kink(subject, kink) for kink in subject.rule.kinks)


def check_empty_batch(subject: Subject, sizes: Sizes, seed: int) -> Check | None:
    """A batch of size 0 gives the same results as the reference, including shapes and NaN."""
    rule = subject.rule
    if not (rule.empty_batch and rule.batch and subject.reference):
        return None
    sizes = {**sizes, rule.batch: 0}
    generator = np.random.default_rng(seed)
    args = subject.draw(generator, sizes)
    dz = subject.draw_cotangent(generator, args)
    ours, theirs = subject.pull(args, dz), subject.reference_pull(args, dz)
    names = ("z", "cotangents")
    return compare("empty batch", names, ours, theirs, 0.0, at_sizes(sizes), equal_nan=True)


def draw_results(subject: Subject, sizes: Sizes, seed: int) -> list[tuple[Arrays, Any, Any, Any]]:
    """(args, dz, the operation's results, the reference's results) for a few random draws."""
    generator, results = np.random.default_rng(seed), []
    for i in range(DRAWS):
        args = subject.draw(generator, sizes, around=i > 0)
        dz = subject.draw_cotangent(generator, args)
        results.append((args, dz, subject.pull(args, dz), subject.reference_pull(args, dz)))
    return results


def compare_results(
    name: str, subject: Subject, args: Any, dz: Any, ours: Any, theirs: Any, sizes: str,
    base: Any = None, with_value: bool = False,
) -> Check:  # fmt: skip
    """Compares cotangents, and values if asked, with what rounding explains."""
    names = ("z", *subject.cotangent_names)
    flat = [("z", ours[0], theirs[0]), *zip(names[1:], ours[1], theirs[1], strict=True)]
    slack = rounding_slack(subject, args, dz, theirs, base)
    if not with_value:
        flat, slack = flat[1:], slack[len(jax.tree.leaves(theirs[0])) :]
    chosen, actual, expected = zip(*flat, strict=True)
    allowed = allowed_error(subject, args)
    row = compare(name, chosen, actual, expected, allowed, sizes, slack)
    if base is not None and not row.passed and reference_is_wrong(subject, args, dz, row):
        return dataclasses.replace(row, passed=True, worst=0.0, note=UNUSABLE, parts=())
    return dataclasses.replace(row, example=(args, dz))


def reference_is_wrong(subject: Subject, args: Any, dz: Any, row: Check) -> bool:
    """Whether differences of the reference's value side with the rule in every cotangent."""
    names = dict(zip(subject.cotangent_names, subject.reals, strict=True))

    def value(arrays: list[Any]) -> float:
        return dot(subject.reference_pull(arrays, dz)[0], dz)

    return all(
        part.name in names and sides_with_the_rule(value, args, names[part.name], part)
        for part in row.parts
    )


def dot(a: Any, b: Any) -> float:
    """The real part of the sum of products: how jax pairs a cotangent with a direction."""
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return float(sum(np.sum(np.asarray(p) * np.asarray(q)).real for p, q in pairs))


def _value(subject: Subject, args: Any, dz: Any, theirs: Any, sizes: str) -> Check:
    """All outputs, undifferentiated, against the reference's."""
    ours = subject.outputs(*args)
    expected = (theirs[0], subject.reference_others(*args))
    slack = rounding_slack(subject, args, dz, theirs)[: len(jax.tree.leaves(theirs[0]))]
    allowed = allowed_error(subject, args)
    floating = compare("value", ("z",), ours[:1], expected[:1], allowed, sizes, slack)
    others = compare("value", ("z",), ours[1:], expected[1:], 0.0, sizes)
    row = worst_of([floating, others])
    return dataclasses.replace(row, example=(args, dz))


def _kink(subject: Subject, kink: Kink) -> Check:
    """The stated cotangents, and the stated value or else the reference's where it is finite."""
    arrays, dz = arrays_of(kink.args), split_outputs(kink.cotangent)[0]
    z, cotangents = subject.pull(arrays, dz)
    expected = flat_cotangents(kink.args, kink.expected, subject.layout)
    names, where = subject.cotangent_names, f" at {kink.name}"
    stated = [expected[i] for i in subject.reals]
    rows = [compare("kinks", names, cotangents, stated, kink.rtol, where, equal_nan=True)]
    if kink.value is not None:
        value = split_outputs(kink.value)[0]
        rows.append(compare("kinks", ("z",), (z,), (value,), kink.rtol, where, equal_nan=True))
    elif subject.reference is not None:
        value = subject.reference_pull(arrays, dz)[0]
        rows.append(compare("kinks", ("z",), (z,), (value,), kink.rtol, where))
    return dataclasses.replace(worst_of(rows), example=(arrays, dz))


def _linearity(subject: Subject, pull: Any, args: Any, u: Any, v: Any) -> Check:
    both = jax.tree.map(lambda p, q: 2.5 * p + 1.5 * q, u, v)
    z, of_u = jax.tree.map(np.asarray, pull(args, u))
    of_v, of_both = (jax.tree.map(np.asarray, pull(args, dz)[1]) for dz in (v, both))
    expected = jax.tree.map(lambda p, q: 2.5 * p + 1.5 * q, of_u, of_v)
    allowed = allowed_error(subject, args)
    zeros = cancelled(subject, args, u, (z, of_u))[len(jax.tree.leaves(z)) :]
    terms = zip(of_u, of_v, zeros, strict=True)
    slack = [allowed * (_sum_size(p, q) + _CANCELLED * zero) for p, q, zero in terms]
    names = subject.cotangent_names
    if not all(np.isfinite(part).all() for part in expected):
        return Check("linearity", False, float("inf"), allowed, note="a cotangent is not finite")
    return compare("linearity", names, of_both, expected, allowed, slack=slack)


def _sum_size(p: np.ndarray, q: np.ndarray) -> Any:
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(np.abs(p) + np.abs(q), posinf=0.0)


def _product_size(a: Any, b: Any) -> float:
    return float(np.sum(np.abs(np.asarray(a) * np.asarray(b))))
