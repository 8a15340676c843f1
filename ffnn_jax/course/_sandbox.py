"""A process for code that may hang, crash or flood: apart, in a folder of its own, and watched.

Its events come through a pipe, each line marked with a token that what a student prints has not.
"""

import contextlib
import json
import os
import secrets
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

_POLL_SECONDS, _GRACE_SECONDS = 0.2, 2.0
_MOST_BYTES = 8 << 20  # of events, and of what else is written into the pipe
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL")


def events(
    module: str, request: Mapping[str, Any], folder: Path, seconds: float, stop: threading.Event
) -> Generator[dict[str, Any]]:
    """The events of a process as they come, then ``{"ended": how}``; it and its group are killed.

    Args:
        module: run as ``python -m``; it reads the request as JSON, with what ``reporter`` needs.
        request: what it is to do.
        folder: its working folder and home.
        seconds: until the next event.
        stop: ends it early.
    """
    token, (reader, writer) = secrets.token_hex(), os.pipe()
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    environment |= {"HOME": str(folder), "TMPDIR": str(folder), "JAX_PLATFORMS": "cpu"}
    environment["PYTHONPATH"] = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    with tempfile.TemporaryFile() as given:
        given.write(json.dumps({**request, "token": token, "descriptor": writer}).encode())
        given.seek(0)
        child = subprocess.Popen(
            [sys.executable, "-BP", "-m", module], cwd=folder, env=environment, stdin=given,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            pass_fds=[writer],
        )  # fmt: skip
    os.close(writer)
    try:
        stopped = yield from _read(reader, token.encode(), seconds, stop)
        yield {"ended": stopped or _exit_of(child)}
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        os.close(reader)


def _read(
    reader: int, token: bytes, seconds: float, stop: threading.Event
) -> Generator[dict[str, Any], None, str]:
    """The events until the pipe is closed; returns why it was not waited for longer, or ""."""
    deadline, count, rest = time.monotonic() + seconds, 0, b""
    while count < _MOST_BYTES and time.monotonic() < deadline and not stop.is_set():
        if not select.select([reader], [], [], _POLL_SECONDS)[0]:
            continue
        data = os.read(reader, 1 << 16)
        if not data:
            return ""
        count += len(data)
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            if line.startswith(token):
                try:
                    event = json.loads(line[len(token) :])
                except ValueError:
                    return "reported what cannot be read"
                yield event
                deadline = time.monotonic() + seconds
    return "flooded its results" if count >= _MOST_BYTES else f"stopped after {seconds:g} s"


def _exit_of(child: subprocess.Popen[bytes]) -> str:
    """How a process ended that closed the pipe."""
    try:
        code = child.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        return "closed the pipe of its results"
    return f"ended with exit code {code}" if code >= 0 else f"ended by {signal.Signals(-code).name}"


def reporter(descriptor: int, token: str) -> Callable[..., None]:
    """The function with which the process reports an event."""
    write, encode = os.write, json.JSONEncoder().encode

    def report(**event: Any) -> None:
        data = f"\n{token}{encode(event)}\n".encode()
        while data:
            data = data[write(descriptor, data) :]

    return report
