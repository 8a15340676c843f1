"""Checks at numbers that ordinary draws never reach: from 1e-6 to 1e4, and huge entries."""

import functools
from collections.abc import Iterator

import jax
import numpy as np

from ffnn_jax.verify._arguments import Argument, Sizes, bounds_of
from ffnn_jax.verify._compare import all_finite, typical_size
from ffnn_jax.verify._differences import compare_differences
from ffnn_jax.verify._result import Check
from ffnn_jax.verify._subject import Subject, cast
from ffnn_jax.verify._values import both_results, compare_results

_BASE_DRAWS = 3
_COTANGENT_SCALES = (1e-6, 10.0, 1e4)
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
    return [max(map(typical_size, leaves)) for leaves in zip(*results, strict=True)]
