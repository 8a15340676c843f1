"""The process in which a person's rules are checked, and what it reports."""

import contextlib
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from ffnn_jax.config import UserError

_CHILD = (sys.executable, "-u", "-m", "ffnn_jax.rules._child")
_POLL_SECONDS = 0.05


def check_in_a_process(request: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The result of each rule; after one that hangs or crashes, a new process goes on."""
    names, done = [request["op"]], 0
    while done < len(names):
        with contextlib.closing(_events(request | {"first": done})) as events:
            for event in events:
                if "error" in event:
                    raise UserError(event["error"])
                if "begins" in event and sys.stderr.isatty():
                    print(f"checking {event['begins']} ...", file=sys.stderr)
                names = event.get("names", names)
                reason = event.get("cannot be checked", event.get("ended", ""))
                if reason and done < len(names):
                    verdict = f"FAILS, {reason}"
                    event["text"] = f"{names[done]}: {verdict}"
                    event["result"] = {"verdict": verdict, "passed": False, "checks": {}}
                if "result" in event:
                    yield names[done], event
                    done += 1


def _events(request: dict[str, Any]) -> Generator[dict[str, Any]]:
    """The events of a process as they come, and how it ended; it ends with this process."""
    limit, deadline, rest, code = request["timeout"], math.inf, "", None
    with (
        tempfile.TemporaryDirectory() as folder,
        Path(folder, "events").open("w+", encoding="utf-8") as stream,
    ):
        command = [*_CHILD, json.dumps(request), stream.name]
        # What it prints goes to our standard error; in its own session, Ctrl-C does not reach it.
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=2, start_new_session=True
        ) as child:
            try:
                while code is None and time.monotonic() < deadline:
                    time.sleep(_POLL_SECONDS)
                    code = child.poll()
                    *lines, rest = (rest + stream.read()).split("\n")
                    for line in lines:
                        yield json.loads(line)
                        deadline = time.monotonic() + limit
            finally:
                child.kill()
    how = f"was stopped after {limit:g} s" if code is None else f"ended with exit code {code}"
    yield {"ended": f"its process {how}"}
