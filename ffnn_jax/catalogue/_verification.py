"""Verifies rules, and tests the checks themselves with planted faults."""

import dataclasses
from typing import Any

from ffnn_jax.catalogue._faults import Fault
from ffnn_jax.catalogue._op_spec import OpSpec
from ffnn_jax.verify import CHECKS, VerificationResult, check_rules

# These compare a rule with itself under a transformation, so a wrong rule passes them.
_SELF_COMPARISONS = ("primal", "jit", "vmap", "scan", "remat", "sharded", "shard_map")
# float16 costs as much as bfloat16, and finds the same faults; other magnitudes find them again.
_REDUNDANT = ("float16", "magnitudes", "jvp")
FAULT_CHECKS = tuple(name for name in CHECKS if name not in (*_SELF_COMPARISONS, *_REDUNDANT))
_FIND_MOST = ("value", "cotangents")
DRAW_CHECKS = ("value", "cotangents", "adjoint", "linearity", "zero")
_THOROUGH_SIZES = 8


@dataclasses.dataclass(frozen=True)
class Verification:
    """The results of the checks on an operation, and of the tests of the checks.

    Attributes:
        name: the operation's name.
        result: the result of all checks on the true rule.
        caught: for each planted fault, the checks that catch it.
        false_alarms: number of random draws for which a check rejected the true rule.
        draws: total number of random draws.
    """

    name: str
    result: VerificationResult
    caught: dict[str, tuple[str, ...]]
    false_alarms: int
    draws: int

    @property
    def passed(self) -> bool:
        """Whether all checks pass, every fault is caught, and there are no false alarms."""
        return self.result.passed and all(self.caught.values()) and not self.false_alarms

    @property
    def caught_count(self) -> int:
        """The number of planted faults that were caught."""
        return sum(map(bool, self.caught.values()))

    def as_json(self) -> dict[str, Any]:
        """The verification as JSON can hold it."""
        return {
            "checks": self.result.as_json()["checks"],
            "faults": {"planted": len(self.caught), "caught": self.caught_count},
            "caught_by": {fault: list(checks) for fault, checks in self.caught.items()},
            "false_alarms": self.false_alarms,
            "draws": self.draws,
        }


def check_rule(spec: OpSpec, seed: int = 0, thorough: bool = False) -> VerificationResult:
    """Runs every check on the true rule, in every case.

    Args:
        spec: the operation's entry.
        seed: seed of all sizes and values.
        thorough: whether to add random sizes to each case.
    """
    rules = spec.rules(_THOROUGH_SIZES if thorough else 0, seed)
    return check_rules(spec.name, rules, seed, explained=False)


def catch_fault(spec: OpSpec, fault: Fault, seed: int = 0) -> tuple[str, ...]:
    """The names of the checks that catch a planted fault: those that find most, or else others."""
    planted, failures = [spec.planted(fault)], ()
    for checks in (_FIND_MOST, FAULT_CHECKS):
        failures = (
            failures or check_rules(fault.name, planted, seed, checks, explained=False).failures
        )
    return failures


def catch_faults(spec: OpSpec, seed: int = 0) -> dict[str, tuple[str, ...]]:
    """For each planted fault, the names of the checks that catch it."""
    return {fault.name: catch_fault(spec, fault, seed) for fault in spec.all_faults}


def count_false_alarms(spec: OpSpec, seed: int = 0, draws: int = 200) -> int:
    """The number of random draws for which a check rejects the true rule.

    Args:
        spec: the operation's entry.
        seed: seed of the values.
        draws: number of draws of values, all with the first sizes.
    """
    rule, sizes = spec.rules()[0]
    one = [(rule, sizes[:1])]
    return sum(
        not check_rules(spec.name, one, seed + draw, DRAW_CHECKS, explained=False)
        for draw in range(1, draws + 1)
    )
