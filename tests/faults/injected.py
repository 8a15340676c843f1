"""``ffnn-jax`` with a fault in writing files: python injected.py FAULT NUMBER ARGUMENT...

The fault happens at the NUMBERth call of the function that it replaces.
"""

import errno
import io
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from matplotlib.figure import Figure

from ffnn_jax.cli import main
from ffnn_jax.runs import CheckpointManager
from ffnn_jax.training import Record

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # on Windows SIGTERM is no milder


def killed(*_: object, **__: object) -> NoReturn:
    os.kill(os.getpid(), KILL)
    raise AssertionError("a killed process continues")


def killed_half_way(real: Callable[..., Any]) -> Callable[..., NoReturn]:
    """Writes only the first half of an archive, and kills the process."""

    def save(file: Any, **arrays: Any) -> NoReturn:
        whole = io.BytesIO()
        real(whole, **arrays)
        file.write(whole.getvalue()[: len(whole.getvalue()) // 2])
        file.flush()
        killed()

    return save


def half_copied(source: Path, target: Path) -> NoReturn:
    content = Path(source).read_bytes()
    Path(target).write_bytes(content[: len(content) // 2])
    killed()


def paused(real: Callable[..., Any]) -> Callable[..., Any]:
    """Takes a second longer, and prints a line."""

    def save(*args: Any, **kwargs: Any) -> Any:
        print("saving slowly", flush=True)
        time.sleep(1)
        return real(*args, **kwargs)

    return save


def full(*_: object, **__: object) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


def full_half_way(source: Path, target: Path) -> NoReturn:
    content = Path(source).read_bytes()
    Path(target).write_bytes(content[: len(content) // 2])
    full()


FAULTS: dict[str, tuple[Any, str, Callable[[Any], Callable[..., Any]]]] = {
    "killed with nothing written": (np, "savez", lambda real: killed),
    "killed half way": (np, "savez", killed_half_way),
    "killed before the file has its name": (os, "fsync", lambda real: killed),
    "killed while the best is copied": (shutil, "copyfile", lambda real: half_copied),
    "killed before an old one is removed": (CheckpointManager, "_prune", lambda real: killed),
    "paused": (np, "savez", paused),
    "full at a checkpoint": (np, "savez", lambda real: full),
    "full while the best is copied": (shutil, "copyfile", lambda real: full_half_way),
    "full at the metrics": (Record, "_asdict", lambda real: full),
    "full at a figure": (Figure, "savefig", lambda real: full),
}


def inject(fault: str, number: int) -> None:
    owner, name, make_faulty = FAULTS[fault]
    real, calls = getattr(owner, name), 0

    def counting(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        return (make_faulty(real) if calls == number else real)(*args, **kwargs)

    setattr(owner, name, counting)


if __name__ == "__main__":
    inject(sys.argv[1], int(sys.argv[2]))
    main(sys.argv[3:])
