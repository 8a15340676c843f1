"""Detection of slowdowns that other users of the same hardware cause.

A virtual machine shares caches and execution units with others. Their use does not show in its
load, but in how long two of its cores need to wake each other, which is measured here.
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

from ffnn_jax._processor import bind_to, core_numbers

_T = TypeVar("_T")
_ECHO = "import os\nwhile byte := os.read(0, 1): os.write(1, byte)"
_TRIPS_PER_MEASUREMENT = 300
_QUIET_QUANTILE, _TOLERANCE = 0.2, 1.17
_CALIBRATION_SECONDS, _PATIENCE_SECONDS = 20.0, 60.0


class NoisyNeighbours:
    """Two processes that wake each other; use it as a context manager.

    Attributes:
        disturbed: how often waiting for quiet timed out.
    """

    def __init__(self) -> None:
        cores = core_numbers()
        self._cores = cores if len(cores) > 1 else []
        with _bound_to(self._cores[-1:]):
            self._echo = subprocess.Popen(
                [sys.executable, "-S", "-c", _ECHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        self._measurements: list[float] = []
        self.disturbed = 0

    def __enter__(self) -> Self:
        end = time.monotonic() + _CALIBRATION_SECONDS
        while time.monotonic() < end or not self._measurements:
            self.are_quiet()
            time.sleep(_CALIBRATION_SECONDS / 100)
        return self

    def __exit__(self, *error: Any) -> None:
        self._echo.communicate()

    def are_quiet(self) -> bool:
        """Whether a round trip is about as fast as the fastest fifth of all so far."""
        self._measurements.append(self._round_trip())
        return self._measurements[-1] <= _TOLERANCE * np.quantile(
            self._measurements, _QUIET_QUANTILE
        )

    def undisturbed(self, work: Callable[[], _T]) -> _T:
        """Repeats some work until they are quiet before and after it, or time is up."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < end:
            if not self.are_quiet():
                time.sleep(0.1)
                continue
            result = work()
            if self.are_quiet():
                return result
        self.disturbed += 1
        return work()

    def _round_trip(self) -> float:
        """Median seconds of a round trip between the processes."""
        assert self._echo.stdin and self._echo.stdout
        outgoing, incoming = self._echo.stdin.fileno(), self._echo.stdout.fileno()
        seconds = []
        with _bound_to(self._cores[:1]):
            for _ in range(_TRIPS_PER_MEASUREMENT):
                began = time.perf_counter()
                os.write(outgoing, b"?")
                os.read(incoming, 1)
                seconds.append(time.perf_counter() - began)
        return statistics.median(seconds)


@contextlib.contextmanager
def _bound_to(cores: Sequence[int]) -> Iterator[None]:
    """Binds this process to these cores for a while; does nothing if there are none."""
    if not cores:
        yield
        return
    before = core_numbers()
    bind_to(cores)
    try:
        yield
    finally:
        bind_to(before)
