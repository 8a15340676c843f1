"""Worker processes: they end with the process that started them, however that ends."""

import multiprocessing
import os
import signal
import threading
from typing import Any

from ffnn_jax._memory import collect_rarely
from ffnn_jax._processor import bind_to, core_numbers


def start_worker() -> None:
    """What a worker of one of our pools does first."""
    end_with_parent()
    collect_rarely()


def dask_setup(worker: Any) -> None:
    """What a numbered worker of a Dask cluster on this machine does first: it takes its core.

    Interrupts are left to the process that started it, with which it ends.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    bind_to(core_numbers()[worker.name :][:1])


def end_with_parent() -> None:
    """Ends this process as soon as its parent has ended, in the middle of its work."""
    threading.Thread(target=_wait_and_end, daemon=True).start()


def _wait_and_end() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
