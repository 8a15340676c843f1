"""Moments in which other users of the same hardware leave this machine its speed.

A virtual machine shares caches and execution units with others. What they take does not show in its
load; it shows in how long two cores need to wake one another, which is measured here.
"""

import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self, TypeVar

import numpy as np

from experiments._machine import bind_to, usable_cores

_T = TypeVar("_T")
_ECHO = "import os\nwhile word := os.read(0, 1): os.write(1, word)"
_WORDS = 300
_USUAL, _SLOWER = 0.2, 1.17
_CALIBRATION_SECONDS, _PATIENCE_SECONDS = 20.0, 60.0


class NoisyNeighbours:
    """Two processes that wake one another; use it as a context.

    Attributes:
        disturbed: how often patience ended.
    """

    def __init__(self) -> None:
        cores = usable_cores()
        self._cores = cores if len(cores) > 1 else []
        with _bound_to(self._cores[-1:]):
            self._echo = subprocess.Popen(
                [sys.executable, "-S", "-c", _ECHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        self._seen: list[float] = []
        self.disturbed = 0

    def __enter__(self) -> Self:
        end = time.monotonic() + _CALIBRATION_SECONDS
        while time.monotonic() < end or not self._seen:
            self.are_quiet()
            time.sleep(_CALIBRATION_SECONDS / 100)
        return self

    def __exit__(self, *error: Any) -> None:
        self._echo.communicate()

    def are_quiet(self) -> bool:
        """Whether a word goes there and back about as fast as in the fastest fifth of all looks."""
        self._seen.append(self._round_trip())
        return self._seen[-1] <= _SLOWER * np.quantile(self._seen, _USUAL)

    def undisturbed(self, work: Callable[[], _T]) -> _T:
        """Does some work until they were quiet before and after it, or patience ends."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < end:
            if not self.are_quiet():
                time.sleep(0.1)
                continue
            found = work()
            if self.are_quiet():
                return found
        self.disturbed += 1
        return work()

    def _round_trip(self) -> float:
        """Seconds, the median of many."""
        assert self._echo.stdin and self._echo.stdout
        there, back = self._echo.stdin.fileno(), self._echo.stdout.fileno()
        seconds = []
        with _bound_to(self._cores[:1]):
            for _ in range(_WORDS):
                began = time.perf_counter()
                os.write(there, b"?")
                os.read(back, 1)
                seconds.append(time.perf_counter() - began)
        return statistics.median(seconds)


@contextlib.contextmanager
def _bound_to(cores: Sequence[int]) -> Iterator[None]:
    """Keeps this process on these cores, or where it is if there are none."""
    if not cores:
        yield
        return
    before = usable_cores()
    bind_to(cores)
    try:
        yield
    finally:
        bind_to(before)
