"""The process that ``train --distributed`` watches: python -m ffnn_jax._watched LOG WORD...

It ends with the one that started it, and without waiting for lost peers: jax would, for minutes.
"""

import contextlib
import os
import sys
import threading
import traceback

from ffnn_jax import _watch
from ffnn_jax.__main__ import main


def _end_with_parent() -> None:
    """Ends this process when its standard input does: a pipe, whose other end is the parent's."""
    os.read(0, 1)
    os._exit(1)


def _code() -> int:
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:  # with --debug
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _watch.log = sys.argv.pop(1)
    code = _code()
    if "jax" in sys.modules and sys.modules["jax"].distributed.is_initialized():
        with contextlib.suppress(OSError, ValueError):
            print(end="", flush=True)
        os._exit(code)
    sys.exit(code)
