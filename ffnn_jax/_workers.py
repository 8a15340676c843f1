"""Worker processes: they end with the process that started them, however that ends."""

import multiprocessing
import os
import threading

from ffnn_jax._memory import collect_rarely


def start_worker() -> None:
    """What a worker of one of our pools does first."""
    end_with_parent()
    collect_rarely()


def end_with_parent() -> None:
    """Ends this process as soon as its parent has ended, in the middle of its work."""
    threading.Thread(target=_wait_and_end, daemon=True).start()


def _wait_and_end() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
