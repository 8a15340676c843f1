"""The results of the checks, one row per check."""

import dataclasses
import math
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

CHECKS = (
    "value", "primal", "cotangents", "differences", "adjoint", "exact", "linearity", "zero",
    "kinks", "magnitudes", "empty batch", "jit", "partial", "vmap", "scan", "remat", "jvp",
    "grad of grad", "float32", "bfloat16", "float16", "sharded", "shard_map",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """One array that differs from what was expected."""

    name: str  # such as "dx" or "z.loss"
    got: np.ndarray
    expected: np.ndarray
    wrong: np.ndarray  # where they differ by more than is allowed

    @property
    def worst(self) -> tuple[np.intp, ...]:
        """The index of the largest difference; of one that is not finite first."""
        with np.errstate(invalid="ignore"):
            error = np.nan_to_num(np.abs(self.got - self.expected), nan=np.inf, posinf=np.inf)
        largest = int(np.argmax(np.where(self.wrong, error, -1.0)))
        return np.unravel_index(largest, error.shape)


@dataclasses.dataclass(frozen=True)
class Check:
    """One check's result.

    The error is relative to the expected entry plus the typical size of its array; in units of
    rounding for the dtypes. The note is a reason, or another rule's error for comparison.
    """

    name: str
    passed: bool
    worst: float = 0.0  # the largest error
    allowed: float = 0.0  # the largest that passes
    where: str = ""  # argument, index and sizes of the largest error
    note: str = ""
    # Each array that differs, and (arguments, cotangent) where the check failed, if it says so:
    parts: tuple[Part, ...] = dataclasses.field(default=(), compare=False, repr=False)
    example: Any = dataclasses.field(default=None, compare=False, repr=False)

    @property
    def badness(self) -> float:
        """The error relative to the allowed one; infinite for failures that have no error."""
        if self.allowed > 0:
            return self.worst / self.allowed
        return math.inf if self.worst > 0 or not self.passed else 0.0


@dataclasses.dataclass(frozen=True)
class VerificationResult:
    """The checks of one operation; true if all passed, printed as a table."""

    subject: str  # the name of the operation
    checks: tuple[Check, ...]  # one row per check
    not_asked: Mapping[str, str] = dataclasses.field(default_factory=dict)  # with the reasons
    conventions: tuple[str, ...] = ()  # undeclared differences at special points
    remarks: tuple[str, ...] = ()  # what to know about the operation or the reference
    details: tuple[str, ...] = ()  # of each array that differs: got, expected, ratio, pattern
    failing_input: str = ""  # a program that shows the failure at a small input
    again: str = ""  # the call or command that reruns the failed checks
    stated: bool = False  # whether compared with a stated backward, not with a derivative
    timed_out: bool = False  # whether the time limit was reached before every check had run

    @property
    def passed(self) -> bool:
        """Whether every check passed, in time, and there was one."""
        return bool(self.checks) and not (self.timed_out or self.failures)

    def __bool__(self) -> bool:
        """Whether every check passed."""
        return self.passed

    def __getitem__(self, name: str) -> Check:
        """The check with that name."""
        return {check.name: check for check in self.checks}[name]

    @property
    def failures(self) -> tuple[str, ...]:
        """The names of the checks that failed."""
        return tuple(check.name for check in self.checks if not check.passed)

    @property
    def verdict(self) -> str:
        """The result in a few words."""
        if self.failures:
            return f"fails {', '.join(self.failures)}"
        if not self.checks:
            return "nothing was checked"
        if self.timed_out:
            return "stopped at the time limit, before every check had run"
        return "agrees with the stated backward" if self.stated else "all checks hold"

    def __str__(self) -> str:
        """The table, then what failed and how, what was not asked, and how to run it again."""
        sections = [f"{self.subject}: {self.verdict}", _table(self.checks), *self.details]
        program = textwrap.indent(self.failing_input, "    ", lambda line: True)
        sections += [f"smallest failing input:\n{program}"] if program else []
        sections += [f"convention not declared: {text}" for text in self.conventions]
        sections += [f"note: {remark}" for remark in self.remarks]
        sections += [f"not asked: {_reasons(self.not_asked)}"] if self.not_asked else []
        sections += [f"again: {self.again}"] if self.again and not self.passed else []
        return "\n".join(section for section in sections if section)

    def as_json(self) -> dict[str, Any]:
        """The result as JSON can hold it; an infinite error becomes null."""
        shown = ("passed", "worst", "where", "note")
        rows = {check.name: {key: getattr(check, key) for key in shown} for check in self.checks}
        for row in rows.values():
            row["worst"] = row["worst"] if math.isfinite(row["worst"]) else None
        texts = ("conventions", "remarks", "details", "failing_input", "again")
        return {
            "verdict": self.verdict, "passed": self.passed, "checks": rows,
            "not_asked": dict(self.not_asked), **{name: getattr(self, name) for name in texts},
        }  # fmt: skip


def failure(name: str, note: str, allowed: float = 0.0, where: str = "") -> Check:
    """A failed check for which no error can be measured."""
    return Check(name, False, math.inf, allowed, where, note)


def one_line(error: Exception) -> str:
    """The type of an error, and the first line of its message."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def worst_of(checks: Iterable[Check]) -> Check:
    """The worst of several results of one check: failures first, then the largest error."""
    return max(checks, key=lambda check: (not check.passed, check.badness))


def _table(checks: Iterable[Check]) -> str:
    rows = [("check", "", "worst", "allowed", "where", "note")]
    for check in checks:
        state, allowed = "ok" if check.passed else "FAILS", check.allowed
        numbers = f"{check.worst:.1e}", f"{allowed:.0e}" if allowed else "exact"
        rows.append((check.name, state, *numbers, check.where, check.note))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = [map(str.ljust, row, widths) for row in rows]
    return "\n".join("  ".join(cells).rstrip() for cells in padded)


def _reasons(not_asked: Mapping[str, str]) -> str:
    """The checks that did not run, those with the same reason together."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in not_asked.items():
        by_reason.setdefault(reason, []).append(name)
    return "; ".join(f"{', '.join(names)} ({reason})" for reason, names in by_reason.items())
