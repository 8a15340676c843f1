"""The memory that this process may use, and how often Python looks for garbage in it."""

import atexit
import gc
from pathlib import Path

# Limits of a container, in version 2 and 1 of Linux's control groups.
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_OBJECTS = 200_000  # about as many as the packages make on import


def usable_memory() -> int:
    """The machine's memory in bytes, or its container's if that is less."""
    import psutil  # of the extra ``run``: training steps work without it

    texts = [path.read_text("utf-8").strip() for path in map(Path, _LIMITS) if path.is_file()]
    return min([psutil.virtual_memory().total, *(int(t) for t in texts if t.isdecimal())])


def collect_rarely() -> None:
    """Spares Python's collector what is imported and stays, on import and at exit."""
    gc.set_threshold(_OBJECTS)
    atexit.register(gc.freeze)
