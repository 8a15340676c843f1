"""Checks at arguments that ordinary random draws never reach: from 1e-6 to 1e4, and huge entries."""

from typing import Any

import jax
import numpy as np

from ffnn_jax.verify._arguments import Sizes
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
    return worst_of(rows) if rows else None


def typical_results(subject: Subject, sizes: Sizes, seed: int) -> list[float]:
    """The typical size of each leaf of the reference's (value, cotangents) at ordinary draws."""
    generator = np.random.default_rng(seed)
    results: list[Any] = []
    for _ in range(_BASE_DRAWS):
        args = subject.draw(generator, sizes)
        dz = subject.draw_cotangent(generator, args)
        results.append(jax.tree.leaves(subject.reference_pull(args, dz)))
    return [max(map(typical_size, leaves)) for leaves in zip(*results, strict=True)]
