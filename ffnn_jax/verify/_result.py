"""The results of the checks, one row per check."""

import dataclasses
from collections.abc import Iterable


@dataclasses.dataclass(frozen=True)
class Check:
    """One check's result.

    Attributes:
        name: the name of the check.
        passed: whether it passed.
        worst: the largest error, relative to 1 + the magnitude of the expected value.
        allowed: the largest error that passes.
        where: argument, index and sizes of the largest error.
        note: further information: a reason, or another rule's error for comparison.
    """

    name: str
    passed: bool
    worst: float = 0.0
    allowed: float = 0.0
    where: str = ""
    note: str = ""

    @property
    def badness(self) -> float:
        """The error relative to the allowed one; infinite for failures that have no error."""
        if self.allowed > 0:
            return self.worst / self.allowed
        return float("inf") if self.worst > 0 or not self.passed else 0.0


@dataclasses.dataclass(frozen=True)
class VerificationResult:
    """The checks of one operation; true if all passed, printed as a table.

    Attributes:
        subject: the name of the operation.
        checks: one row per check.
        again: the call or command that reruns the failed checks.
    """

    subject: str
    checks: tuple[Check, ...]
    again: str = ""

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

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

    def __str__(self) -> str:
        """A table with one row per check, followed by the call that reruns the failures."""
        head = ("check", "", "worst", "allowed", "where", "note")
        rows = [head, *(_cells(check) for check in self.checks)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        footer = [] if self.passed or not self.again else [f"again: {self.again}"]
        verdict = "all checks hold" if self.passed else f"fails {', '.join(self.failures)}"
        return "\n".join([f"{self.subject}: {verdict}", *lines, *footer])


def worst_of(checks: Iterable[Check]) -> Check:
    """The worst of several results of one check: failures first, then the largest error."""
    return max(checks, key=lambda check: (not check.passed, check.badness))


def _cells(check: Check) -> tuple[str, ...]:
    numbers = (f"{check.worst:.1e}", f"{check.allowed:.0e}" if check.allowed else "exact")
    return check.name, "ok" if check.passed else "FAILS", *numbers, check.where, check.note
