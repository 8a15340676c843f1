"""``train --distributed`` watches the process that does its work.

jax's runtime ends a process whose peer is lost with abort(), where no handler of Python's runs. So
the command starts its work in another process, forwards the signals it receives, and says in one
line how that one ended. What the runtime prints there goes to a file.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from ffnn_jax._errors import PeerLostError, RunInterruptedError
from ffnn_jax._signals import DESCRIPTORS, handling

log: str | None = None  # in a watched process, the file for what the runtime prints
_STOPPED = {128 + getattr(signal, n, 0) for n in ("SIGHUP", "SIGINT", "SIGPIPE", "SIGTERM")}
_OURS = {*range(PeerLostError.code), *_STOPPED}
_NOTE = re.compile(r"^ffnn-jax (who|hint|lost): (.*)$", re.MULTILINE)
_REASON = re.compile(r'grpc_message:"([^"]+)"|absl::Status: (.+?)(?:\. |$)', re.MULTILINE)
_SILENT = re.compile(r"stopped sending heartbeats\):\n(\d+)")
_RUNTIME = ("JAX distributed service detected fatal errors", "gloo::EnforceNotMet")


def is_watched() -> bool:
    """Whether this process was started by ``watch``."""
    return log is not None


def watch(words: Sequence[str]) -> int:
    """Does a command's work in another process; returns its exit code if it is one of ours.

    Raises:
        PeerLostError: a peer was lost or never came.
        RunInterruptedError: a signal ended it before it could handle one.
        ChildProcessError: it ended in another way, as by SIGKILL.
    """
    descriptor, path = tempfile.mkstemp(prefix="ffnn-jax-", suffix=".log")
    os.close(descriptor)
    command = [sys.executable, "-m", "ffnn_jax._watched", path, *words]
    started, early = [], []

    def forward(number: int, frame: object) -> None:
        if started:
            started[0].send_signal(number)
        else:
            early.append(number)

    with handling(forward), subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        started.append(process)
        for number in early:
            process.send_signal(number)
        code = process.wait()
    if code not in _OURS:
        raise _failure(code, path)
    Path(path).unlink()
    return code


def redirect() -> None:
    """In a watched process, sends to the log what does not come from Python's own streams."""
    if log is None:
        return
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is not None:  # it was not closed
            getattr(sys, name).flush()
            DESCRIPTORS[number] = os.dup(number)
            stream = os.fdopen(DESCRIPTORS[number], "w", buffering=1, errors="replace")
            setattr(sys, name, stream)
        os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND), number)


def note(name: str, text: str) -> None:
    """Notes ``who`` a watched process is, the ``hint`` to give should it die, or what it lost."""
    if log is not None:
        os.write(2, f"\nffnn-jax {name}: {text}\n".encode())


def end_lost(message: str) -> NoReturn:
    """Ends a watched process without a peer; the one that watches it prints the message.

    The runtime may end it at the same moment: so one line is printed, whichever was first.
    """
    note("lost", message)
    print(end="", flush=True)
    os._exit(PeerLostError.code)


def _failure(code: int, path: str) -> Exception:
    """How a process ended that could not say it itself."""
    printed = Path(path).read_text(encoding="utf-8", errors="replace")
    notes = {"who": "this process", "hint": ""} | dict(_NOTE.findall(printed))
    if "lost" in notes:
        Path(path).unlink()
        return PeerLostError(notes["lost"])
    end = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    if 128 - code in _STOPPED:
        return RunInterruptedError(-code, f"ended by {end}{notes['hint']}")
    if any(words in printed for words in _RUNTIME):
        reasons = ["".join(found) for found in _REASON.findall(printed)]
        reasons += [f"process {k} sends no heartbeats" for k in _SILENT.findall(printed)]
        reason = f" ({reasons[-1]})" if reasons else ""
        lost = f"{notes['who']}: a peer was lost{reason}{notes['hint']}"
        return PeerLostError(f"{lost} (jax's messages: {path})")
    memory = ", as when memory runs out" if end == "SIGKILL" else ""
    return ChildProcessError(f"{notes['who']} was ended by {end}{memory}{notes['hint']} ({path})")
