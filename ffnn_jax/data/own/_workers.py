"""Processes that decode small pictures, of which Python's own share of the work is most.

They run this file's loop, and import neither jax nor the program that decodes.
"""

import contextlib
import os
import pickle
import subprocess
import sys
import threading
import warnings
from collections.abc import Sequence
from typing import Any

from ffnn_jax.data.own._decode import Picture, decode_chunk

_PROGRAM = "from ffnn_jax.data.own._workers import work; work()"


class Workers:
    """One process for each thread that calls it, each ended with the pipe to it."""

    def __init__(self) -> None:
        """Starts none yet."""
        self._own, self._all = threading.local(), []

    def __call__(self, files: Sequence[str], size: int | None) -> list[Picture]:
        """What ``decode_chunk`` returns, from a process; from this one where that one has ended."""
        process = getattr(self._own, "process", None) or self._started()
        try:
            pickle.dump((list(files), size), process.stdin)
            process.stdin.flush()
            return pickle.load(process.stdout)
        except (OSError, EOFError):
            return decode_chunk(files, size)

    def close(self) -> None:
        """Ends the processes."""
        for process in self._all:
            with contextlib.suppress(OSError):  # what it did not read before it ended
                process.stdin.close()
            process.stdout.close()
            process.wait()

    def _started(self) -> Any:
        path = os.pathsep.join(entry or os.curdir for entry in sys.path)
        self._own.process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM], env=os.environ | {"PYTHONPATH": path},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        self._all.append(self._own.process)
        return self._own.process


def work() -> None:
    """Decodes the chunks that standard input asks for, until it ends."""
    warnings.simplefilter("ignore")
    while True:
        try:
            request = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(decode_chunk(*request), sys.stdout.buffer)
        sys.stdout.buffer.flush()
