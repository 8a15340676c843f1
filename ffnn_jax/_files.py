"""Files that another program has open, which Windows neither replaces nor removes."""

import contextlib
import sys
import time
from collections.abc import Callable
from typing import Any

# Seconds between attempts: a virus scanner or an indexer opens new files for a moment.
_PAUSES = (0.01, 0.03, 0.1, 0.3, 1.0) if sys.platform == "win32" else ()


def patiently(action: Callable[..., object], *args: Any) -> None:
    """Calls ``action(*args)``, on Windows again if another program has the file open."""
    for pause in _PAUSES:
        with contextlib.suppress(PermissionError):
            action(*args)
            return
        time.sleep(pause)
    action(*args)
