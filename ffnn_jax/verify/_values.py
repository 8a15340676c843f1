"""Checks of values and cotangents in float64, at one set of sizes."""

import dataclasses
from typing import Any

import jax
import numpy as np

from ffnn_jax.verify._arguments import Sizes, at_sizes
from ffnn_jax.verify._compare import allowed_error, cancelled, compare, rounding_slack, share_finite
from ffnn_jax.verify._domains import normal
from ffnn_jax.verify._layout import arrays_of, split_outputs
from ffnn_jax.verify._referee import sides_with_the_rule
from ffnn_jax.verify._result import Check, worst_of
from ffnn_jax.verify._rule import Kink
from ffnn_jax.verify._stated import flat_cotangents
from ffnn_jax.verify._subject import Arrays, Subject

DRAWS = 3
_MORE_DRAWS = 12  # where there are no sizes to vary
_CANCELLED = 1e-3
UNUSABLE = "the reference is unusable at some magnitudes"


def check_value(subject: Subject, sizes: Sizes, seed: int) -> Check | None:
    """Every output equals the reference's, integers and booleans too."""
    if subject.rule.reference is None:
        return None
    results, where = draw_results(subject, sizes, seed), at_sizes(sizes)
    return worst_of(_value(subject, args, dz, theirs, where) for args, dz, _, theirs in results)


def check_cotangents(subject: Subject, sizes: Sizes, seed: int) -> Check | None:
    """Every cotangent equals autodiff of the reference: the one indispensable check."""
    if subject.reference is None:
        return None
    results, where = draw_results(subject, sizes, seed), at_sizes(sizes)
    return worst_of(compare_results("cotangents", subject, *drawn, where) for drawn in results)


def check_adjoint(subject: Subject, sizes: Sizes, seed: int) -> Check | None:
    """Where the operation is affine, <J v, u> = <v, J^T u> with J v = f(x + v) - f(x)."""
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
        values = (dot(step, cotangent),), (dot(change, u),)
        slack = allowed * float(np.sum(np.abs(step * np.asarray(cotangent))))
        checks.append(compare("adjoint", (name,), *values, allowed, at_sizes(sizes), slack))
    return worst_of(checks)


def check_exact(subject: Subject, sizes: Sizes, seed: int) -> Check | None:
    """On small integers, whose sums do not round, the results equal the reference's exactly."""
    if not subject.rule.exact or subject.reference is None:
        return None
    generator = np.random.default_rng(seed)
    drawn = zip(subject.words, subject.draw(generator, sizes), strict=True)
    args = [word.draw_integers(generator, sizes) if word else array for word, array in drawn]
    dz = jax.tree.map(np.round, subject.draw_cotangent(generator, args))
    ours, theirs = ((z, *cotangents) for z, cotangents in both_results(subject, args, dz))
    return compare("exact", ("z", *subject.cotangent_names), ours, theirs, 0.0, at_sizes(sizes))


def check_linearity(subject: Subject, sizes: Sizes, seed: int) -> Check | None:
    """The backward, unless stated not to be, is linear: B(a u + b v) = a B(u) + b B(v)."""
    generator = np.random.default_rng(seed)
    args, u = draw_pair(subject, generator, sizes)
    v = subject.draw_cotangent(generator, args)
    stated = subject.rule.backward and _linearity(subject, subject.reference_pull, args, u, v)
    if stated and not stated.passed:
        return None
    row = _linearity(subject, subject.pull, args, u, v)
    return dataclasses.replace(row, where=row.where + at_sizes(sizes), example=(args, u))


def check_zero(subject: Subject, sizes: Sizes, seed: int) -> Check | None:
    """A zero cotangent gives zero cotangents, exactly."""
    args, dz = draw_pair(subject, np.random.default_rng(seed), sizes)
    dz = jax.tree.map(np.zeros_like, dz)
    if subject.rule.backward:
        expected = jax.tree.leaves(subject.reference_pull(args, dz)[1])
        if any(np.any(np.asarray(leaf) != 0) for leaf in expected):
            return None
    _, cotangents = subject.pull(args, dz)
    values = cotangents, jax.tree.map(np.zeros_like, cotangents)
    names, where = subject.cotangent_names, at_sizes(sizes)
    return compare("zero", names, *values, 0.0, where, example=(args, dz))


def check_kinks(subject: Subject) -> Check | None:
    """At each declared kink, value and cotangents are those of the convention."""
    rows = [_kink(subject, kink) for kink in subject.rule.kinks]
    return worst_of(rows) if rows else None


def check_empty_batch(subject: Subject, sizes: Sizes, seed: int) -> Check | None:
    """A batch of size 0 gives the same results as the reference, including shapes and NaN."""
    rule = subject.rule
    if not (rule.empty_batch and rule.batch and subject.reference):
        return None
    sizes = {**sizes, rule.batch: 0}
    args, dz = draw_pair(subject, np.random.default_rng(seed), sizes)
    values, names = both_results(subject, args, dz), ("z", "cotangents")
    return compare("empty batch", names, *values, 0.0, at_sizes(sizes), equal_nan=True)


def draw_pair(
    subject: Subject, generator: np.random.Generator, sizes: Sizes, around: bool = False
) -> tuple[list[Any], Any]:
    """Random arguments, and a random cotangent for their results."""
    args = subject.draw(generator, sizes, around=around)
    return args, subject.draw_cotangent(generator, args)


def draw_direction(subject: Subject, generator: np.random.Generator, args: Any) -> list[Any]:
    """Normal numbers in the shapes of the real arguments."""
    return [normal(generator, args[i].shape, args[i].dtype) for i in subject.reals]


def both_results(subject: Subject, args: Any, dz: Any) -> tuple[Any, Any]:
    """(Value, cotangents) of the operation, and of the reference."""
    return subject.pull(args, dz), subject.reference_pull(args, dz)


def draw_results(subject: Subject, sizes: Sizes, seed: int) -> list[tuple[Arrays, Any, Any, Any]]:
    """(args, dz, the operation's results, the reference's results) for a few random draws."""
    generator = np.random.default_rng(seed)
    count = DRAWS if subject.rule.words else _MORE_DRAWS
    draws = [draw_pair(subject, generator, sizes, around=i > 0) for i in range(count)]
    return [(args, dz, *both_results(subject, args, dz)) for args, dz in draws]


def compare_results(
    name: str, subject: Subject, args: Any, dz: Any, ours: Any, theirs: Any, sizes: str,
    base: Any = None, with_value: bool = False,
) -> Check:  # fmt: skip
    """Compares cotangents, and values if asked, with what rounding explains."""
    first, skipped = (0, 0) if with_value else (1, len(jax.tree.leaves(theirs[0])))
    names = ("z", *subject.cotangent_names)[first:]
    actual, expected = ((z, *cotangents)[first:] for z, cotangents in (ours, theirs))
    slack = rounding_slack(subject, args, dz, theirs, base)[skipped:]
    allowed = allowed_error(subject, args)
    row = compare(name, names, actual, expected, allowed, sizes, slack, example=(args, dz))
    far = base is not None and not row.passed
    return excused(row) if far and reference_is_wrong(subject, args, dz, row) else row


def excused(row: Check) -> Check:
    """The row where the reference is unusable, which does not count."""
    return dataclasses.replace(row, passed=True, worst=0.0, note=UNUSABLE, parts=(), example=None)


def reference_is_wrong(subject: Subject, args: Any, dz: Any, row: Check) -> bool:
    """Whether differences of the reference's value side with the rule in every cotangent."""
    places = dict(zip(subject.cotangent_names, subject.reals, strict=True))
    pull = subject.reference_pull
    return sides_with_the_rule(lambda arrays: dot(pull(arrays, dz)[0], dz), args, places, row)


def inner(a: Any, b: Any) -> Any:
    """The real part of the sum of products: how jax pairs a cotangent with a direction."""
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return sum((p * q).sum().real for p, q in pairs)


def dot(a: Any, b: Any) -> float:
    """The same of arrays of numpy."""
    return float(inner(*jax.tree.map(np.asarray, (a, b))))


def _value(subject: Subject, args: Any, dz: Any, theirs: Any, sizes: str) -> Check:
    """All outputs, undifferentiated, against the reference's."""
    z, others = subject.outputs(*args)
    slack = rounding_slack(subject, args, dz, theirs)[: len(jax.tree.leaves(theirs[0]))]
    allowed, same = allowed_error(subject, args), subject.reference_others(*args)
    floating = compare("value", ("z",), (z,), theirs[:1], allowed, sizes, slack)
    exact = compare("value", ("z",), (others,), (same,), 0.0, sizes)
    return dataclasses.replace(worst_of([floating, exact]), example=(args, dz))


def _kink(subject: Subject, kink: Kink) -> Check:
    """The stated cotangents, and the stated value or else the reference's where it is finite."""
    arrays, dz = arrays_of(kink.args), split_outputs(kink.cotangent)[0]
    z, cotangents = subject.pull(arrays, dz)
    expected = flat_cotangents(kink.args, kink.expected, subject.layout)
    names, where = subject.cotangent_names, f" at {kink.name}"
    stated, value = [expected[i] for i in subject.reals], None
    if kink.value is not None:
        value = split_outputs(kink.value)[0]
    elif subject.reference is not None:
        value = subject.reference_pull(arrays, dz)[0]
    slope = compare("kinks", names, cotangents, stated, kink.rtol, where, equal_nan=True)
    nan = kink.value is not None
    level = compare("kinks", ("z",), (z,), (value,), kink.rtol, where, equal_nan=nan)
    return dataclasses.replace(worst_of([slope, level]), example=(arrays, dz))


def _linearity(subject: Subject, pull: Any, args: Any, u: Any, v: Any) -> Check:
    def combined(p: Any, q: Any) -> Any:
        return jax.tree.map(lambda p, q: 2.5 * p + 1.5 * q, p, q)

    results = [jax.tree.map(np.asarray, pull(args, dz)) for dz in (u, v, combined(u, v))]
    of_u, of_v, of_both = (cotangents for _, cotangents in results)
    expected, allowed = combined(of_u, of_v), allowed_error(subject, args)
    if share_finite(expected) < 1:
        return Check("linearity", False, float("inf"), allowed, note="a cotangent is not finite")
    zeros = cancelled(subject, args, u, results[0])[-len(of_u) :]
    terms = zip(of_u, of_v, zeros, strict=True)
    slack = [allowed * (np.abs(p) + np.abs(q) + _CANCELLED * zero) for p, q, zero in terms]
    return compare("linearity", subject.cotangent_names, of_both, expected, allowed, slack=slack)
