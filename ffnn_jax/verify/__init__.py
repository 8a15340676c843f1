"""Is a hand-derived gradient right? A checker for anyone's ``custom_vjp``; it knows no layer.

``check_vjp(op, reference, *arguments)`` compares an operation with its plain definition and
returns a report with a row a check; ``assert_vjp`` raises with that table.
"""

from ffnn_jax.verify._arguments import Argument, Sizes, sample_sizes
from ffnn_jax.verify._report import Check, Report
from ffnn_jax.verify._run import CHECKS, assert_vjp, check_subjects, check_vjp
from ffnn_jax.verify._subject import Kink, Subject

__all__ = [
    "CHECKS",
    "Argument",
    "Check",
    "Kink",
    "Report",
    "Sizes",
    "Subject",
    "assert_vjp",
    "check_subjects",
    "check_vjp",
    "sample_sizes",
]
