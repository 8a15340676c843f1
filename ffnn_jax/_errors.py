"""Errors that end a run early; one-line messages state what, where, and what is allowed."""

import dataclasses
import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Invalid input from the user; the message is one line, written for them."""


class DivergedError(ArithmeticError):
    """Training reached a non-finite number; the one-line message states what and where."""


class FailedSeedsError(Exception):
    """Seeds of a sweep could not be trained, all others were; one line names the first."""


class RunInterruptedError(Exception):
    """A run was ended by a signal, with all its work saved."""

    def __init__(self, signal: int, message: str) -> None:
        """Takes the signal's number and a one-line message for the user."""
        super().__init__(message)
        self.signal = signal


@dataclasses.dataclass
class StopRequest:
    """A request to end a run before its last step: the number of the signal received, if any."""

    signal: int | None = None


def suggestion(word: str, known: Iterable[str]) -> str:
    """Returns '; did you mean X?' for the known name nearest to ``word``, or an empty string."""
    by_lower_case = {name.lower(): name for name in known}
    nearest = difflib.get_close_matches(word.lower(), by_lower_case, n=1, cutoff=0.5)
    return f"; did you mean {by_lower_case[nearest[0]]}?" if nearest else ""
