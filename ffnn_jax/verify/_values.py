"""Checks of values and cotangents in float64: at one set of sizes, and at other magnitudes.

A check yields a row for each comparison; none where it does not apply. Ordinary draws never reach
numbers from 1e-6 to 1e4, huge entries and zeros: these have checks of their own.
"""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from ffnn_jax.verify import _compare
from ffnn_jax.verify._arguments import Argument, Sizes, at_sizes, bounds_of
from ffnn_jax.verify._compare import all_finite, allowed_error, compare
from ffnn_jax.verify._differences import compare_differences, sides_with_the_rule
from ffnn_jax.verify._layout import arrays_of, flat_cotangents, split_outputs
from ffnn_jax.verify._result import Check
from ffnn_jax.verify._subject import Arrays, Subject, cast, dot

DRAWS = 3
_MORE_DRAWS = 12  # where there are no sizes to vary
_PRIMAL, _NARROW_PRIMAL = 1e-12, 1e-6  # since fusion moves bits
_CANCELLED = 1e-3
_WEIGHTS = ((2.5, 1.5), (1e-6, 0.0), (1e4, 0.0))  # of two cotangents
UNUSABLE = "the reference is unusable at some magnitudes"
_BASE_DRAWS = 3
_COTANGENT_SCALES = (1e-6, 10.0, 1e4)


def check_value(subject: Subject, sizes: Sizes, seed: int) -> Iterator[Check]:
    """Every output equals the reference's, integers and booleans too."""
    for args, dz, _, theirs in draw_results(subject, sizes, seed):
        z, others = subject.outputs(*args)
        count = len(jax.tree.leaves(theirs[0]))
        slack = _compare.rounding_slack(subject, args, dz, theirs)[:count]
        allowed, same = allowed_error(subject, args), subject.reference_others(*args)
        found: dict[str, Any] = {"sizes": at_sizes(sizes), "example": (args, dz)}
        yield compare("value", ("z",), (z,), theirs[:1], allowed, slack=slack, **found)
        yield compare("value", ("z",), (others,), (same,), 0.0, **found)


def check_primal(subject: Subject, sizes: Sizes, seed: int) -> Iterator[Check]:
    """Without differentiation, the operation returns what its forward rule returns."""
    allowed = _PRIMAL if subject.wide else _NARROW_PRIMAL
    for args, dz, (z, _), theirs in draw_results(subject, sizes, seed):
        slack = _compare.rounding_slack(subject, args, dz, theirs)[: len(jax.tree.leaves(z))]
        values, where = ((subject.value(*args),), (z,)), at_sizes(sizes)
        yield compare("primal", ("z",), *values, allowed, where, slack, example=(args, dz))


def check_cotangents(subject: Subject, sizes: Sizes, seed: int) -> Iterator[Check]:
    """Every cotangent equals autodiff of the reference: the one indispensable check."""
    for drawn in draw_results(subject, sizes, seed):
        yield compare_results("cotangents", subject, *drawn, at_sizes(sizes))


def check_adjoint(subject: Subject, sizes: Sizes, seed: int) -> Iterator[Check]:
    """Where the operation is affine, <J v, u> = <v, J^T u> with J v = f(x + v) - f(x)."""
    affine = [i for i in subject.reals if subject.layout.owners[i] in subject.rule.linear]
    generator = np.random.default_rng(seed)
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
        yield compare("adjoint", (name,), *values, allowed, at_sizes(sizes), slack)


def check_exact(subject: Subject, sizes: Sizes, seed: int) -> Iterator[Check]:
    """On small integers, whose sums do not round, the results equal the reference's exactly."""
    generator = np.random.default_rng(seed)
    drawn = zip(subject.words, subject.draw(generator, sizes), strict=True)
    args = [word.draw_integers(generator, sizes) if word else array for word, array in drawn]
    dz = jax.tree.map(np.round, subject.draw_cotangent(generator, args))
    ours, theirs = ((z, *cotangents) for z, cotangents in both_results(subject, args, dz))
    yield compare("exact", ("z", *subject.cotangent_names), ours, theirs, 0.0, at_sizes(sizes))


def check_linearity(subject: Subject, sizes: Sizes, seed: int) -> Iterator[Check]:
    """The backward, unless stated not to be, is linear: B(a u + b v) = a B(u) + b B(v)."""
    generator = np.random.default_rng(seed)
    args, u = subject.draw_pair(generator, sizes)
    v = subject.draw_cotangent(generator, args)
    if subject.rule.backward:
        stated = [_linearity(subject, subject.reference_pull, args, u, v, w) for w in _WEIGHTS]
        if not all(row.passed for row in stated):
            return
    for weights in _WEIGHTS:
        row = _linearity(subject, subject.pull, args, u, v, weights)
        yield dataclasses.replace(row, where=row.where + at_sizes(sizes), example=(args, u))


def check_zero(subject: Subject, sizes: Sizes, seed: int) -> Iterator[Check]:
    """A zero cotangent gives zero cotangents, exactly."""
    args, dz = subject.draw_pair(np.random.default_rng(seed), sizes)
    dz = jax.tree.map(np.zeros_like, dz)
    stated = subject.rule.backward and subject.reference_pull(args, dz)[1]
    if any(np.any(np.asarray(leaf) != 0) for leaf in jax.tree.leaves(stated)):
        return
    _, cotangents = subject.pull(args, dz)
    values = cotangents, jax.tree.map(np.zeros_like, cotangents)
    names, where = subject.cotangent_names, at_sizes(sizes)
    yield compare("zero", names, *values, 0.0, where, example=(args, dz))


def check_kinks(subject: Subject, sizes: Sizes, seed: int) -> Iterator[Check]:
    """At each declared kink, value and cotangents are those of the convention."""
    for kink in subject.rule.kinks:
        arrays, dz = arrays_of(kink.args), split_outputs(kink.cotangent)[0]
        z, cotangents = subject.pull(arrays, dz)
        expected = flat_cotangents(kink.args, kink.expected, subject.layout)
        names, stated, value = subject.cotangent_names, [expected[i] for i in subject.reals], None
        if kink.value is not None:
            value = split_outputs(kink.value)[0]
        elif subject.reference is not None:
            value = subject.reference_pull(arrays, dz)[0]
        found: dict[str, Any] = {"sizes": f" at {kink.name}", "example": (arrays, dz)}
        nan = kink.value is not None
        yield compare("kinks", names, cotangents, stated, kink.rtol, equal_nan=True, **found)
        yield compare("kinks", ("z",), (z,), (value,), kink.rtol, equal_nan=nan, **found)


def check_empty_batch(subject: Subject, sizes: Sizes, seed: int) -> Iterator[Check]:
    """A batch of size 0 gives the same results as the reference, including shapes and NaN."""
    sizes = {**sizes, str(subject.rule.batch): 0}
    args, dz = subject.draw_pair(np.random.default_rng(seed), sizes)
    values, names = both_results(subject, args, dz), ("z", "cotangents")
    yield compare("empty batch", names, *values, 0.0, at_sizes(sizes), equal_nan=True)


def both_results(subject: Subject, args: Any, dz: Any) -> tuple[Any, Any]:
    """(Value, cotangents) of the operation, and of the reference."""
    return subject.pull(args, dz), subject.reference_pull(args, dz)


def draw_results(subject: Subject, sizes: Sizes, seed: int) -> list[tuple[Arrays, Any, Any, Any]]:
    """(args, dz, the operation's results, the reference's results) for a few random draws."""
    generator = np.random.default_rng(seed)
    count = DRAWS if subject.rule.words else _MORE_DRAWS
    draws = [subject.draw_pair(generator, sizes, around=i > 0) for i in range(count)]
    return [(args, dz, *both_results(subject, args, dz)) for args, dz in draws]


def compare_results(
    name: str, subject: Subject, args: Any, dz: Any, ours: Any, theirs: Any, sizes: str,
    base: Any = None, with_value: bool = False,
) -> Check:  # fmt: skip
    """Compares cotangents, and values if asked, with what rounding explains."""
    first, skipped = (0, 0) if with_value else (1, len(jax.tree.leaves(theirs[0])))
    names = ("z", *subject.cotangent_names)[first:]
    actual, expected = ((z, *cotangents)[first:] for z, cotangents in (ours, theirs))
    slack = _compare.rounding_slack(subject, args, dz, theirs, base)[skipped:]
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


def _linearity(
    subject: Subject, pull: Any, args: Any, u: Any, v: Any, weights: tuple[float, float]
) -> Check:
    a, b = weights

    def combined(p: Any, q: Any) -> Any:
        return jax.tree.map(lambda p, q: a * p + b * q, p, q)

    results = [jax.tree.map(np.asarray, pull(args, dz)) for dz in (u, v, combined(u, v))]
    of_u, of_v, of_both = (cotangents for _, cotangents in results)
    expected, allowed = combined(of_u, of_v), allowed_error(subject, args)
    if not all_finite(expected):
        return Check("linearity", False, float("inf"), allowed, note="a cotangent is not finite")
    zeros = _compare.cancelled(subject, args, u, results[0])[-len(of_u) :]
    terms = zip(of_u, of_v, zeros, strict=True)
    slack = [
        allowed * (a * np.abs(p) + b * np.abs(q) + a * _CANCELLED * zero) for p, q, zero in terms
    ]
    return compare("linearity", subject.cotangent_names, of_both, expected, allowed, slack=slack)


_compared = functools.partial(compare_results, "magnitudes", with_value=True)


def check_magnitudes(subject: Subject, sizes: Sizes, seed: int) -> Iterator[Check]:
    """Value and cotangents are right at many magnitudes of what goes in, in float64."""
    yield from _at_scales(subject, sizes, seed)
    if subject.reference is not None:
        yield from _at_cotangent_scales(subject, sizes, seed)
        yield from _at_zero(subject, sizes, seed)


def _at_scales(subject: Subject, sizes: Sizes, seed: int) -> Iterator[Check]:
    """Wherever the reference is finite; without one, against differences."""
    base = typical_results(subject, sizes, seed)
    generator = np.random.default_rng(seed)
    for name, args in subject.scaled_draws(sizes, seed):
        dz, where = subject.draw_cotangent(generator, args), f" at {name}"
        if subject.reference is not None:
            results = both_results(subject, args, dz)
            if all_finite(results[1]):
                yield _compared(subject, args, dz, *results, where, base)
        elif name.startswith("scale "):
            yield from compare_differences("magnitudes", subject, args, dz, generator, where)


def _at_cotangent_scales(subject: Subject, sizes: Sizes, seed: int) -> Iterator[Check]:
    """At ordinary arguments: a backward that clips or drops cotangents, or states that it does."""
    generator = np.random.default_rng(seed)
    for scale in _COTANGENT_SCALES:
        args, dz = subject.draw_pair(generator, sizes)
        dz = jax.tree.map(lambda leaf, by=scale: cast(by * leaf), dz)
        results = both_results(subject, args, dz)
        yield _compared(subject, args, dz, *results, f" at a cotangent of scale {scale:g}")


def _at_zero(subject: Subject, sizes: Sizes, seed: int) -> Iterator[Check]:
    """At zeros, where a slope may be a convention, it must still be finite where it is defined."""
    generator = np.random.default_rng(seed)
    for i in subject.reals:
        ordinary = subject.draw(generator, sizes)
        if not _contains_zero(subject.words[i]) or not ordinary[i].size:
            continue
        for entries in (slice(None), slice(0, 1)):
            args = [np.array(array, copy=True) for array in ordinary]
            args[i].reshape(-1)[entries] = 0.0
            dz = subject.draw_cotangent(generator, args)
            results = both_results(subject, args, dz)
            if all_finite(results[1]) and not all_finite(results[0]):
                yield _compared(subject, args, dz, *results, f" at zeros in {subject.names[i]}")


def _contains_zero(word: Argument | None) -> bool:
    low, high = (word and bounds_of(word.domain)) or (0.0, 0.0)
    return word is not None and (word.domain in ("", "complex") or low < 0 < high)


def typical_results(subject: Subject, sizes: Sizes, seed: int) -> list[float]:
    """The typical size of each leaf of the reference's (value, cotangents) at ordinary draws."""
    generator = np.random.default_rng(seed)
    draws = (subject.draw_pair(generator, sizes) for _ in range(_BASE_DRAWS))
    results = [jax.tree.leaves(subject.reference_pull(args, dz)) for args, dz in draws]
    return [max(map(_compare.typical_size, leaves)) for leaves in zip(*results, strict=True)]
