"""What SIGTERM and SIGINT do: before there is anything to save, and while a run is under way.

jax compiles and computes outside of Python, where no signal is heard. So the work is done in a
thread of its own, and the main thread waits and hears. While steps are made, the run is asked to
save and end at its next stop; at any other time what was saved last is all there is to save, and
the process ends at once. So it does at a second signal; one that follows within a moment is the
same, heard twice (a launcher sends it to the process and to its group).

Nothing here imports jax: signals are heard while it is imported, too.
"""

import contextlib
import dataclasses
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NoReturn, Protocol

_PATIENCE_SECONDS = 30.0
_POLL_SECONDS = 0.1
_SAME_SECONDS = 0.5


class StopRequest(Protocol):
    """What a run reads to learn that it is to end: the number of the signal, once one is heard."""

    signal: int | None


@dataclasses.dataclass
class SignalState:
    """What the thread that works tells the one that hears.

    Attributes:
        makes_steps: whether the run comes to a stop soon, where it can save and end.
        hint: what the user may do after an end before the end.
    """

    makes_steps: bool = False
    hint: str = ""


@contextlib.contextmanager
def exit_on_signals() -> Iterator[None]:
    """Ends the process at a signal, in one line: there is nothing to save yet."""
    with _handled_by(lambda number, frame: _end(number)):
        yield


def run_with_signals(stop: StopRequest, do: Callable[..., None], *given: Any) -> None:
    """Calls ``do(state, *given)`` in a thread, and hears signals meanwhile.

    Args:
        stop: gets the number of the first signal.
        do: may raise anything, which is raised here in the main thread.
        *given: its arguments beside a ``SignalState``.
    """
    state, failures, heard = SignalState(), [], []

    def guarded() -> None:
        try:
            do(state, *given)
        except BaseException as failure:  # raised again in the main thread
            failures.append(failure)

    def hear(number: int, frame: FrameType | None) -> None:
        heard.append(time.monotonic())
        if heard[-1] - heard[0] > _SAME_SECONDS:
            os._exit(128 + number)
        stop.signal = stop.signal or number

    with _handled_by(hear):
        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        _wait(thread, state, stop)
    for failure in failures:
        raise failure


@contextlib.contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def _wait(thread: threading.Thread, state: SignalState, stop: StopRequest) -> None:
    """Until the thread has ended, or has had its time to."""
    heard_at = None
    while thread.is_alive():
        thread.join(_POLL_SECONDS)
        if stop.signal is None:
            continue
        heard_at = heard_at or time.monotonic()
        if not state.makes_steps or time.monotonic() - heard_at > _PATIENCE_SECONDS:
            from rich.console import Console  # imported by now, and not needed any earlier

            Console().show_cursor()  # a progress bar may have hidden it
            _end(stop.signal, state.hint)


def _end(number: int, hint: str = "") -> NoReturn:
    """Ends the process with 128 and the signal's number, without waiting for its threads."""
    name = signal.Signals(number).name
    print(f"ffnn-jax: ended by {name}{hint}", file=sys.stderr, flush=True)
    os._exit(128 + number)
