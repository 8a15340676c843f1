"""Errors that end a run early; one-line messages state what, where, and what is allowed."""

import dataclasses
import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Invalid input from the user; the message is one line, written for them."""

    code = 2  # with which the command exits


class DivergedError(ArithmeticError):
    """Training reached a non-finite number; the one-line message states what and where."""

    code = 3


class FailedSeedsError(Exception):
    """Seeds of a sweep could not be trained, all others were; one line names the first."""

    code = 1


class RunInterruptedError(Exception):
    """A run was ended by a signal, with all its work saved."""

    def __init__(self, signal: int, message: str) -> None:
        """Takes the signal's number and a one-line message for the user."""
        super().__init__(message)
        self.signal, self.code = signal, 128 + signal


class PeerLostError(Exception):
    """A run's peer, another of its processes, was lost or never came; the message is one line."""

    code = 4


@dataclasses.dataclass
class StopRequest:
    """A request to end a run before its last step: the number of the signal received, if any."""

    signal: int | None = None


def suggestion(word: str, known: Iterable[str]) -> str:
    """Returns '; did you mean X?' for the known name nearest to ``word``, or an empty string."""
    by_lower_case = {name.lower(): name for name in known}
    nearest = difflib.get_close_matches(word.lower(), by_lower_case, n=1, cutoff=0.5)
    return f"; did you mean {by_lower_case[nearest[0]]}?" if nearest else ""
