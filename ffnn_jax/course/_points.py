"""What a rule earns: for each of its cotangents from 0 to 1, and the mean of these."""

from collections.abc import Sequence

from ffnn_jax.verify import Check, VerificationResult

WEIGHTS = {
    "value": 0,  # the forward is given, and still compared
    "cotangents": 60, "kinks": 8, "magnitudes": 8, "float32": 6, "bfloat16": 6, "vmap": 4,
    "grad of grad": 4, "scan": 2, "empty batch": 2,
}  # fmt: skip
"""The checks, of which those that apply share the points; a wrong cotangent earns none at all."""


def points_of(
    cotangents: Sequence[str], results: Sequence[VerificationResult]
) -> dict[str, float]:  # fmt: skip
    """The points of each cotangent.

    A failed check counts against the cotangents that it names; one that names none, against those
    that are wrong, or else against all.
    """
    checks = [check for result in results for check in result.checks]
    refused = {  # dtypes, which the given forward supports
        name for result in results for name, why in result.not_asked.items()
        if why.startswith("not supported")
    }  # fmt: skip
    failed = [check for check in checks if not check.passed]
    wrong = [
        n for c in failed if c.name == "cotangents" for n in _named(c, cotangents) or cotangents
    ]
    total = sum(WEIGHTS[name] for name in refused.union(check.name for check in checks))
    earned = dict.fromkeys(cotangents, 0.0)
    for name in earned.keys() - {*wrong}:
        against = {c.name for c in failed if name in (_named(c, cotangents) or wrong or cotangents)}
        earned[name] = 1 - sum(WEIGHTS[check] for check in against | refused) / total
    return earned


def _named(check: Check, cotangents: Sequence[str]) -> list[str]:
    parts = [part.name.replace("[", " ").split()[0] for part in check.parts]
    return [name for name in cotangents if name in parts]
