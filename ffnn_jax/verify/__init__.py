"""Checks gradients with rules of their own: any ``custom_vjp`` or ``custom_jvp``.

    from ffnn_jax.verify import assert_vjp

    assert_vjp(my_dense, reference_dense, "NxD", "DxK", "K", batch="N")

``check_vjp`` compares an operation with its reference implementation, one row per check, and
``assert_vjp`` raises with that table: in float64, since float32 hides a fault of one part in a
thousand; for random cotangents, since ones cannot tell a sum from a mean; element by element, since
a norm hides small entries; at many magnitudes and sizes. JAX's global settings stay unchanged.
"""

from ffnn_jax.verify._arguments import Argument, Sizes, sample_sizes
from ffnn_jax.verify._locations import error_line, function_at, rules_in
from ffnn_jax.verify._result import CHECKS, Check, VerificationResult
from ffnn_jax.verify._rule import DTYPES, Kink, Rule, Static, Traits, argument_names
from ffnn_jax.verify._run import assert_vjp, check_rules, check_vjp
from ffnn_jax.verify._subject import Subject

__all__ = [
    "CHECKS", "DTYPES", "Argument", "Check", "Kink", "Rule", "Sizes", "Static", "Subject", "Traits",
    "VerificationResult", "argument_names", "assert_vjp", "check_rules", "check_vjp", "error_line",
    "function_at", "rules_in", "sample_sizes",
]  # fmt: skip
