"""Steppers in separate processes, each waiting while another is timed."""

import contextlib
import dataclasses
import importlib
import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping
from multiprocessing.connection import Connection
from typing import Any

from experiments._machine import peak_megabytes
from experiments.peers._workload import Workload


@dataclasses.dataclass(frozen=True)
class Lap:
    """Timing of a few calls of a stepper.

    Attributes:
        seconds: wall-clock seconds per step.
        cores: CPU seconds over wall-clock seconds.
    """

    seconds: float
    cores: float


class Runner:
    """One variant's stepper in a separate process, with these additions to its environment."""

    def __init__(
        self, module: str, variant: str, workload: Workload, environment: Mapping[str, str]
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        arguments = (theirs, module, variant, workload)
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        with _environment(environment):
            self._process.start()
        theirs.close()

    def losses(self, count: int) -> list[float]:
        """So many first losses, for which the stepper is built and compiled."""
        return self._ask("losses", count)

    def lap(self, calls: int) -> Lap:
        """Times this number of calls."""
        return Lap(*self._ask("lap", calls))

    def costs(self) -> dict[str, float]:
        """Seconds from the imports to the first losses, and peak memory."""
        return self._ask("costs")

    def close(self) -> None:
        """Ends the process."""
        self._ours.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.terminate()

    def _ask(self, *request: Any) -> Any:
        try:
            self._ours.send(request)
            answer = self._ours.recv()
        except (EOFError, BrokenPipeError):
            raise RuntimeError("the process exited before it answered") from None
        if isinstance(answer, Exception):
            raise answer
        return answer


def calls_for(seconds: float, lap: Lap, steps: int) -> int:
    """The number of calls, of so many steps each, that take about this long."""
    return max(1, round(seconds / (steps * lap.seconds)))


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Sets environment variables, which processes started meanwhile inherit."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]
        os.environ.update(before)


def _serve(pipe: Connection, module: str, variant: str, workload: Workload) -> None:
    """Answers requests until the pipe is closed."""
    began, stepper = time.perf_counter(), None
    costs: dict[str, float] = {}
    while True:
        try:
            request, *arguments = pipe.recv()
        except EOFError:
            return
        try:
            if request == "losses":
                stepper = importlib.import_module(module).make(workload, variant)
                answer: Any = stepper.run()
                costs["start_seconds"] = time.perf_counter() - began
                while len(answer) < arguments[0]:
                    answer += stepper.run()
                answer = answer[: arguments[0]]
            elif request == "lap":
                answer = _lap(stepper, workload.steps, *arguments)
            else:
                answer = costs | {"peak_megabytes": peak_megabytes()}
        except Exception as error:  # any exception of a peer is sent back
            answer = error if isinstance(error, ImportError) else RuntimeError(repr(error))
        pipe.send(answer)


def _lap(stepper: Any, steps: int, calls: int) -> tuple[float, float]:
    wall, processor = time.perf_counter(), os.times()
    for _ in range(calls):
        stepper.run()
    spent, now = time.perf_counter() - wall, os.times()
    busy = now.user + now.system - processor.user - processor.system
    return spent / (calls * steps), busy / spent
