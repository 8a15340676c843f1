"""The net below a proof: numbers at which the code is no number, though the definition is.

The algebra cancels what it divides by, so it does not see that 0 / 0 is no number.
"""

import contextlib
from collections.abc import Sequence

import jax
import numpy as np

from ffnn_jax.proof._domains import Domain
from ffnn_jax.verify import Sizes, Subject

_UNDEFINED_SOMEWHERE = {"cbrt", "div", "integer_pow", "log", "log1p", "pow", "rsqrt", "sqrt"}


def undefined_at_numbers(
    subject: Subject, sizes: Sizes, domains: Sequence[Domain], used: set[str], derivatives: bool
) -> str:
    """What is not finite at zeros, ones or random numbers, though the definition's is; or "".

    Args:
        subject: the rule.
        sizes: sizes for the axis names.
        domains: the domains of the real arguments.
        used: the primitives that the rule uses; few have points at which they are undefined.
        derivatives: whether cotangents are compared, too.
    """
    generator = np.random.default_rng(0)
    for number in (0.0, 1.0, None) if used & _UNDEFINED_SOMEWHERE else ():
        if number is None or all(domain.holds(number) for domain in domains):
            problem = ""
            with contextlib.suppress(ValueError):  # numbers that a function refuses
                problem = _problem(subject, sizes, generator, number, derivatives)
            if problem:
                where = "random numbers" if number is None else f"all entries {number:g}"
                return f"in exact arithmetic alone: {problem} at {where}"
    return ""


def _problem(
    subject: Subject,
    sizes: Sizes,
    generator: np.random.Generator,
    number: float | None,
    derivatives: bool,
) -> str:
    """Compares what is finite of what both compute in floating point."""
    args = subject.draw(generator, sizes)
    if number is not None:
        args = [np.full_like(a, number) if i in subject.reals else a for i, a in enumerate(args)]
    with subject.on_cpu(), jax.disable_jit():  # operation by operation, which compiles nothing
        compared = [("the value", subject.outputs(*args), subject.reference_outputs(*args))]
        if derivatives:
            dz = subject.draw_cotangent(generator, args)
            found = subject.pull(args, dz)[1], subject.reference_pull(args, dz)[1]
            compared.append(("a cotangent", *found))
    for what, ours, theirs in compared:
        for a, b in zip(*map(jax.tree.leaves, (ours, theirs)), strict=True):
            if not np.isfinite(np.asarray(a)[np.isfinite(b)]).all():
                return f"{what} is not finite, and the definition's is"
    return ""
