"""Handles SIGTERM, SIGINT and SIGHUP before there is anything to save, and during a run.

jax compiles and computes outside of Python, where no signal is handled. So the run is in a worker
thread, while the main thread waits and handles signals. During training steps a signal asks the
run to save and end at its next stop; at any other time there is nothing newer to save, and the
process ends at once. A second signal ends the process, too; one that follows within a moment is
the same signal, delivered twice (a launcher sends it to the process and to its group).

Nothing here imports jax, so that signals are handled even while it is being imported.
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
from typing import Any, NoReturn

from ffnn_jax._errors import StopRequest

_ENDING = ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK")  # as far as the system has them
_PATIENCE_SECONDS = 30.0
_POLL_SECONDS = 0.1
_DUPLICATE_SECONDS = 0.5
DESCRIPTORS = {1: 1, 2: 2}  # where standard output and error go; elsewhere in a watched process


@dataclasses.dataclass
class SignalState:
    """State shared by the worker thread and the main thread, which handles signals."""

    makes_steps: bool = False  # whether the run will soon reach a stop, where it can save
    hint: str = ""  # advice appended to the message if the process ends early


def exit_on_signals() -> contextlib.AbstractContextManager[None]:
    """Ends the process at a signal, with a one-line message: there is nothing to save yet."""
    return handling(lambda number, frame: _end(number))


def run_with_signals(stop: StopRequest, function: Callable[..., None], *args: Any) -> None:
    """Calls ``function(state, *args)`` in a thread; ``stop`` receives the first signal's number."""
    state, failures, times = SignalState(), [], []

    def target() -> None:
        try:
            function(state, *args)
        except BaseException as failure:  # raised again in the main thread
            failures.append(failure)

    def handle(number: int, frame: FrameType | None) -> None:
        for stream in (1, 2):  # SIGHUP may have come because the terminal closed
            try:
                os.write(DESCRIPTORS[stream], b"")
            except OSError:
                print_nowhere(stream)
        times.append(time.monotonic())
        if times[-1] - times[0] > _DUPLICATE_SECONDS:
            os._exit(128 + number)
        stop.signal = stop.signal or number

    with handling(handle):
        thread = threading.Thread(target=target, daemon=True)
        thread.start()
        _wait(thread, state, stop)
    for failure in failures:
        raise failure


@contextlib.contextmanager
def handling(handler: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    """Within, the handler receives the signals that end a process; in the main thread alone."""
    before = {n: signal.getsignal(n) for n in signal.Signals if n.name in _ENDING}
    for number, previous in before.items():
        if (number.name, previous) != ("SIGHUP", signal.SIG_IGN):  # by nohup
            signal.signal(number, handler)
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def print_nowhere(stream: int) -> None:
    """Discards from now on what is printed to standard output (1) or standard error (2)."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), DESCRIPTORS[stream])


def _wait(thread: threading.Thread, state: SignalState, stop: StopRequest) -> None:
    """Waits for the thread; once a signal is received, ends the process after a grace period."""
    received = None
    while thread.is_alive():
        thread.join(_POLL_SECONDS)
        if stop.signal is None:
            continue
        received = received or time.monotonic()
        if not state.makes_steps or time.monotonic() - received > _PATIENCE_SECONDS:
            from rich.console import Console  # already imported by now, and not needed earlier

            Console().show_cursor()  # a progress bar may have hidden it
            _end(stop.signal, state.hint)


def _end(number: int, hint: str = "") -> NoReturn:
    """Exits with 128 plus the signal's number, without waiting for threads."""
    name = signal.Signals(number).name
    print(f"ffnn-jax: ended by {name}{hint}", file=sys.stderr, flush=True)
    os._exit(128 + number)
