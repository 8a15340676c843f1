"""What ends a run before its time, in one line that says what, where, and what is allowed."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Something the user gave cannot be used; the message is one line, written for them."""


class DivergedError(ArithmeticError):
    """Training came to a number that is not finite; the message is one line: what and where."""


class RunInterruptedError(Exception):
    """A run ended at a signal, with all it had done saved.

    Attributes:
        signal: the signal's number.
    """

    def __init__(self, signal: int, message: str) -> None:
        """Takes the signal's number and one line for the user."""
        super().__init__(message)
        self.signal = signal


def suggestion(word: str, known: Iterable[str]) -> str:
    """Returns '; did you mean X?' for the known name nearest to ``word``, or nothing."""
    by_lower_case = {name.lower(): name for name in known}
    nearest = difflib.get_close_matches(word.lower(), by_lower_case, n=1, cutoff=0.5)
    return f"; did you mean {by_lower_case[nearest[0]]}?" if nearest else ""
