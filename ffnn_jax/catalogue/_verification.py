"""Verifies a rule, and tests the checks with every planted fault."""

import dataclasses

from ffnn_jax.catalogue._faults import Fault
from ffnn_jax.catalogue._op_spec import OpSpec
from ffnn_jax.verify import CHECKS, VerificationResult, check_subjects

# These compare a rule with itself under a transformation: a wrong rule agrees with itself.
_OF_THE_RULE_WITH_ITSELF = ("jit", "vmap", "scan", "remat", "sharded", "shard_map")
# float16 takes as long as bfloat16 again, and sees what that sees.
FAULT_CHECKS = tuple(name for name in CHECKS if name not in (*_OF_THE_RULE_WITH_ITSELF, "float16"))
DRAW_CHECKS = ("value", "cotangents", "adjoint", "linearity", "zero")
_THOROUGH_SIZES = 8


@dataclasses.dataclass(frozen=True)
class Verification:
    """What the checks say of an operation, and what can be said of the checks.

    Attributes:
        name: of the operation.
        result: all checks of the true rule.
        caught: for each planted fault, the checks that catch it, each on its own.
        false_alarms: how many random draws of values a check rejected the true rule at.
        draws: how many there were.
    """

    name: str
    result: VerificationResult
    caught: dict[str, tuple[str, ...]]
    false_alarms: int
    draws: int

    @property
    def passed(self) -> bool:
        """Whether the rule passes every check, every fault fails one, and no draw fails."""
        return self.result.passed and all(self.caught.values()) and not self.false_alarms

    @property
    def caught_count(self) -> int:
        """How many of the planted faults were caught."""
        return sum(map(bool, self.caught.values()))


def check_rule(spec: OpSpec, seed: int = 0, thorough: bool = False) -> VerificationResult:
    """The true rule under every check, in every case.

    Args:
        spec: the operation.
        seed: decides all sizes and values.
        thorough: whether each case is checked at random sizes too.
    """
    subjects = spec.subjects(_THOROUGH_SIZES if thorough else 0, seed)
    return check_subjects(spec.name, subjects, seed)


def catch_fault(spec: OpSpec, fault: Fault, seed: int = 0) -> tuple[str, ...]:
    """The checks that catch a planted fault, each on its own."""
    return check_subjects(fault.name, [spec.planted(fault)], seed, FAULT_CHECKS).failures


def catch_faults(spec: OpSpec, seed: int = 0) -> dict[str, tuple[str, ...]]:
    """For each planted fault, the checks that catch it."""
    return {fault.name: catch_fault(spec, fault, seed) for fault in spec.all_faults}


def count_false_alarms(spec: OpSpec, seed: int = 0, draws: int = 200) -> int:
    """How many random draws of values a check rejects the true rule at.

    Args:
        spec: the operation.
        seed: decides the values.
        draws: how many times the true rule is checked at the first sizes, with new values.
    """
    subject, sizes = spec.subjects()[0]
    return sum(
        not check_subjects(spec.name, [(subject, sizes[:1])], seed + draw, DRAW_CHECKS)
        for draw in range(1, draws + 1)
    )
