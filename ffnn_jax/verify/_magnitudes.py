"""Checks at arguments that ordinary draws never reach: from 1e-6 to 1e4, and huge entries."""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from ffnn_jax.verify._arguments import Argument, Sizes
from ffnn_jax.verify._compare import share_finite, typical_size
from ffnn_jax.verify._differences import compare_differences
from ffnn_jax.verify._result import Check, worst_of
from ffnn_jax.verify._subject import Subject
from ffnn_jax.verify._values import compare_results

_BASE_DRAWS = 3


def check_magnitudes(subject: Subject, sizes: Sizes, seed: int) -> Check | None:
    """Value and cotangents are right at many magnitudes of the arguments, in float64.

    Detects overflow, cancellation and branches far from 0. Where the reference itself is not
    finite, nothing is compared. Without a reference, the cotangents are compared with differences.
    """
    if subject.reference is None and subject.rule.backward is not None:
        return None
    base = typical_results(subject, sizes, seed)
    generator = np.random.default_rng(seed)
    rows = []
    for name, args in subject.scaled_draws(sizes, seed):
        dz = subject.draw_cotangent(generator, args)
        where = f" at {name}"
        if subject.reference is None:
            if name.startswith("scale "):
                row = compare_differences("magnitudes", subject, args, dz, generator, where)
                rows.append(row)
            continue
        theirs = subject.reference_pull(args, dz)
        if share_finite(theirs) == 1:
            ours = subject.pull(args, dz)
            rows.append(
                compare_results(
                    "magnitudes", subject, args, dz, ours, theirs, where, base, with_value=True
                )
            )
    if subject.reference is not None:
        rows += _at_zero(subject, sizes, seed)
    return worst_of(rows) if rows else None


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
            ours, theirs = subject.pull(args, dz), subject.reference_pull(args, dz)
            if share_finite(theirs) == 1 > share_finite(ours):
                where = f" at zeros in {subject.names[i]}"
                row = compare_results(
                    "magnitudes", subject, args, dz, ours, theirs, where, with_value=True
                )
                yield row


def _contains_zero(word: Argument | None) -> bool:
    if word is None or not word.domain.startswith("("):
        return word is not None and word.domain in ("", "complex")
    low, high = map(float, word.domain[1:-1].split(","))
    return low < 0 < high


def typical_results(subject: Subject, sizes: Sizes, seed: int) -> list[float]:
    """The typical size of each leaf of the reference's (value, cotangents) at ordinary draws."""
    generator = np.random.default_rng(seed)
    results: list[Any] = []
    for _ in range(_BASE_DRAWS):
        args = subject.draw(generator, sizes)
        dz = subject.draw_cotangent(generator, args)
        results.append(jax.tree.leaves(subject.reference_pull(args, dz)))
    return [max(map(typical_size, leaves)) for leaves in zip(*results, strict=True)]
