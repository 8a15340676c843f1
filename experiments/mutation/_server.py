"""Runs tests again and again in processes that begin with jax imported, and nothing of the project.

Reads jobs from standard input, one line of JSON each, ``{"tests": [...], "without": [...],
"timeout": seconds}``, and answers each with ``{"verdict": ..., "test": ...}``: "survived", "found"
and the test that failed, or "timeout". It runs in the folder of the copy that holds the fault.
"""

import contextlib
import json
import os
import select
import signal
import sys
import tempfile
from typing import Any

import jax  # noqa: F401
import numpy as np  # noqa: F401
import optax  # noqa: F401
import pytest

_OPTIONS = (
    "-x", "-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov",
    "-m", "not slow", "-o", "addopts=--strict-markers --import-mode=importlib",
)  # fmt: skip


class FirstFailure:
    """Remembers the test that failed, or the file that could not be read."""

    test = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called by pytest after each phase of a test."""
        self.test = self.test or (report.nodeid if report.failed else "")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Called by pytest after it has read a file."""
        self.test = self.test or (report.nodeid if report.failed else "")


def main() -> None:
    """Answers jobs until standard input is closed."""
    for line in sys.stdin:
        print(json.dumps(answer(**json.loads(line))), flush=True)


def answer(tests: list[str], without: list[str], timeout: float) -> dict[str, Any]:
    """Runs the tests in a process of its own, which is ended with its children after a time."""
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        run(tests, without, sink)
    os.close(sink)
    ready, _, _ = select.select([source], [], [], timeout)
    said = os.read(source, 1 << 16) if ready else b""
    os.close(source)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if not ready:
        return {"verdict": "timeout", "test": ""}
    return json.loads(said) if said else {"verdict": "found", "test": ""}


def run(tests: list[str], without: list[str], sink: int) -> None:
    """The child process: runs the tests without output, and writes the answer."""
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    first, left_out = FirstFailure(), [f"--deselect={test}" for test in without]
    own = f"--basetemp={tempfile.mkdtemp()}"
    status = pytest.main([*_OPTIONS, own, *left_out, *tests], plugins=[first])
    verdict = "survived" if status in (0, pytest.ExitCode.NO_TESTS_COLLECTED) else "found"
    os.write(sink, json.dumps({"verdict": verdict, "test": first.test}).encode())
    os._exit(0)


if __name__ == "__main__":
    main()
