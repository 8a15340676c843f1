"""What the checks found: one row a check."""

import dataclasses
from collections.abc import Iterable


@dataclasses.dataclass(frozen=True)
class Check:
    """One check's result.

    Attributes:
        name: what was checked.
        passed: whether it holds.
        worst: the largest error met, relative to 1 + the size of the right value.
        allowed: the largest error that passes.
        where: argument and index of the largest error, and the sizes at which it was met.
        note: what else there is to say: a reason, or another rule's error for comparison.
    """

    name: str
    passed: bool
    worst: float = 0.0
    allowed: float = 0.0
    where: str = ""
    note: str = ""

    @property
    def badness(self) -> float:
        """Error in units of what is allowed; infinite where anything but a number went wrong."""
        if self.allowed > 0:
            return self.worst / self.allowed
        return float("inf") if self.worst > 0 or not self.passed else 0.0


@dataclasses.dataclass(frozen=True)
class VerificationResult:
    """All checks of one operation; true when every one passed, printed as a table.

    Attributes:
        subject: what was checked.
        checks: a row a check.
        again: the call or command that repeats the checks that failed.
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
        """The check of that name."""
        return {check.name: check for check in self.checks}[name]

    @property
    def failures(self) -> tuple[str, ...]:
        """The names of the checks that failed."""
        return tuple(check.name for check in self.checks if not check.passed)

    def __str__(self) -> str:
        """A table with a row a check, and below it how to repeat the failures."""
        head = ("check", "", "worst", "allowed", "where", "note")
        rows = [head, *(_cells(check) for check in self.checks)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        again = [] if self.passed or not self.again else [f"again: {self.again}"]
        verdict = "all checks hold" if self.passed else f"fails {', '.join(self.failures)}"
        return "\n".join([f"{self.subject}: {verdict}", *lines, *again])


def worst_of(checks: Iterable[Check]) -> Check:
    """The worst of several results of one check: failures first, then the largest error."""
    return max(checks, key=lambda check: (not check.passed, check.badness))


def _cells(check: Check) -> tuple[str, ...]:
    numbers = (f"{check.worst:.1e}", f"{check.allowed:.0e}" if check.allowed else "exact")
    return check.name, "ok" if check.passed else "FAILS", *numbers, check.where, check.note
