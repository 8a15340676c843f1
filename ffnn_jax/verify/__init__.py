"""Checks gradients with rules of their own: any ``custom_vjp`` or ``custom_jvp``.

    from ffnn_jax.verify import assert_vjp

    assert_vjp(my_dense, reference_dense, "NxD", "DxK", "K", batch="N")

``check_vjp`` compares an operation with its reference implementation, one row per check;
``assert_vjp`` raises with that table. Float64, because in float32 a fault of one part in a thousand
hides in rounding. Random cotangents, because one of ones cannot tell a sum from a mean. Element by
element, because a tolerance on a norm hides small entries. At many magnitudes, because a branch or
an overflow far from 0 is never drawn. What each check finds is in notebooks/guides/verify.md.

Sizes come from a seeded sampler: first small and all different, so that a missing transpose
cannot run, then a batch of one, then others. JAX's global settings are left unchanged.
"""

from ffnn_jax.verify._arguments import Argument, Sizes, sample_sizes
from ffnn_jax.verify._result import CHECKS, Check, VerificationResult
from ffnn_jax.verify._rule import DTYPES, Kink, Rule, Static, Traits, argument_names
from ffnn_jax.verify._run import assert_vjp, check_rules, check_vjp
from ffnn_jax.verify._subject import Subject

__all__ = [
    "CHECKS",
    "DTYPES",
    "Argument",
    "Check",
    "Kink",
    "Rule",
    "Sizes",
    "Static",
    "Subject",
    "Traits",
    "VerificationResult",
    "argument_names",
    "assert_vjp",
    "check_rules",
    "check_vjp",
    "sample_sizes",
]
