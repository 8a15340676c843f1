"""Calls that tests hand to workers, and a layer that no process survives."""

import dataclasses
import multiprocessing
import os
import signal
from pathlib import Path

import psutil

from ffnn_jax.config import UserError
from ffnn_jax.nn import ReLU


def here(value: int) -> tuple[int, set[int], int]:
    """The value, the cores of this process, and the process itself."""
    return value, os.sched_getaffinity(0), os.getpid()


def fail(text: str) -> None:
    raise UserError(text)


def divide(by: int) -> float:
    return 1 / by


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(seen: Path) -> str:
    """Kills its process if the file does not exist yet."""
    if not seen.exists():
        seen.touch()
        die()
    return "alive"


def listening() -> list[str]:
    """The addresses at which this process's parent and its other children listen."""
    parent = psutil.Process().parent()
    assert parent is not None
    family = [parent, *parent.children(recursive=True)]
    found = [one.laddr.ip for each in family for one in each.net_connections()
             if one.status == psutil.CONN_LISTEN]  # fmt: skip
    return found


@dataclasses.dataclass(frozen=True)
class Deadly(ReLU):
    """Kills the worker that builds a network with it."""

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if multiprocessing.parent_process() is not None:
            die()
        return shape
