"""Several processes of a run, each a thread of this one: they exchange lines as jax's would."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
import pytest
from jax.experimental import multihost_utils


class Peers:
    """So many processes, which jax's own functions seem to be."""

    def __init__(self, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self._barrier = threading.Barrier(count, timeout=60)
        self._here = threading.local()
        self._lines: dict[int, np.ndarray] = {}
        self.exchanges = 0
        self.left: list[int] = []
        monkeypatch.setattr(jax, "process_count", lambda: count)
        monkeypatch.setattr(jax, "process_index", lambda: self.index)
        monkeypatch.setattr(jax.distributed, "shutdown", lambda: self.left.append(self.index))
        monkeypatch.setattr(multihost_utils, "process_allgather", self._gathered)

    @property
    def index(self) -> int:
        """Which process this is."""
        return self._here.index

    def _gathered(self, line: np.ndarray) -> np.ndarray:
        self._lines[self._here.index] = line
        self._barrier.wait()
        rows = np.stack([self._lines[index] for index in sorted(self._lines)])
        if self._barrier.wait() == 0:
            self.exchanges += 1
        return rows

    def each(self, function: Callable[[int], Any]) -> list[Any]:
        """What the function returns or raises in each process."""

        def outcome(index: int) -> Any:
            self._here.index = index
            try:
                return function(index)
            except Exception as failure:
                return failure

        count = self._barrier.parties
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(outcome, range(count)))
