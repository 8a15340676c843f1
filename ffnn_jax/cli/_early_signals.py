"""Signals before there is anything to save: the process ends at once, in one line."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def ending_at_signals() -> Iterator[None]:
    """Ends the process at SIGTERM and SIGINT with 128 and the signal's number."""

    def end(number: int, frame: FrameType | None) -> None:
        print(f"ffnn-jax: ended by {signal.Signals(number).name}", file=sys.stderr, flush=True)
        os._exit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
