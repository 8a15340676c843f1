"""How bad input is refused: one line that says what, where, and what is allowed."""

import difflib
from collections.abc import Iterable


class Refusal(ValueError):
    """Something the user gave cannot be used; the message is one line, written for them."""


def suggestion(word: str, known: Iterable[str]) -> str:
    """Returns '; did you mean X?' for the known name nearest to ``word``, or nothing."""
    nearest = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.5)
    return f"; did you mean {nearest[0]}?" if nearest else ""
