"""Work that SIGTERM and SIGINT end cleanly, whatever it is doing.

jax compiles and computes outside of Python, where no signal is heard. So the work is done in a
thread of its own, and the main thread waits and hears. While steps are made, the run is asked to
save and end at its next stop; at any other time what was saved last is all there is to save, and
the process ends at once. So it does at a second signal; one that follows within a moment is the
same, heard twice (a launcher sends it to the process and to its group).
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from rich.console import Console

from ffnn_jax.runs import Ending

_PATIENCE_SECONDS = 30.0
_LOOK_SECONDS = 0.1
_SAME_SECONDS = 0.5


class Work:
    """What the two threads tell each other.

    Attributes:
        ending: the signal that was heard.
        makes_steps: whether the run comes to a stop soon, where it can save and end.
        hint: what the user may do after an end before the end.
    """

    def __init__(self) -> None:
        """Nothing was heard, nothing is done."""
        self.ending = Ending()
        self.makes_steps = False
        self.hint = ""


def run_heeding_signals(do: Callable[[Work], None]) -> None:
    """Calls a function in a thread, and hears signals meanwhile.

    Raises:
        Exception: what the function raised.
    """
    work, failures, heard = Work(), [], []

    def guarded() -> None:
        try:
            do(work)
        except BaseException as failure:  # raised again in the main thread
            failures.append(failure)

    def hear(number: int, frame: FrameType | None) -> None:
        heard.append(time.monotonic())
        if heard[-1] - heard[0] > _SAME_SECONDS:
            os._exit(128 + number)
        work.ending.signal = work.ending.signal or number

    before = {number: signal.signal(number, hear) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        _wait(thread, work)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for failure in failures:
        raise failure


def _wait(thread: threading.Thread, work: Work) -> None:
    """Until the thread has ended, or has had its time to."""
    heard_at = None
    while thread.is_alive():
        thread.join(_LOOK_SECONDS)
        if work.ending.signal is None:
            continue
        heard_at = heard_at or time.monotonic()
        if not work.makes_steps or time.monotonic() - heard_at > _PATIENCE_SECONDS:
            _leave(work)


def _leave(work: Work) -> NoReturn:
    """Ends the process without waiting for its threads."""
    Console().show_cursor()  # a progress bar may have hidden it
    name = signal.Signals(work.ending.signal or 0).name
    print(f"ffnn-jax: ended by {name}{work.hint}", file=sys.stderr, flush=True)
    os._exit(128 + (work.ending.signal or 0))
