"""Checks a user's rules in a process that may print, hang or crash, and prints the results."""

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

from ffnn_jax.cli._output import write_json
from ffnn_jax.config import UserError

_CHILD = (sys.executable, "-u", "-m", "ffnn_jax.cli._verify_child")
_POLL_SECONDS = 0.05


def verify_rules(request: dict[str, Any]) -> int:
    """Checks rules as the options say, and prints each result; returns 1 if anything fails."""
    out = sys.stderr if request["json"] == "-" else sys.stdout
    results, drawn = {}, False
    for name, event in _results(request):
        print(event["text"], file=out, flush=True)
        results[name] = event["result"]
        drawn = drawn or event.get("drawn", False)
    failed = [name for name, result in results.items() if not result["passed"]]
    if len(results) > 1:
        fails = f", {len(failed)} FAIL{'S' * (len(failed) == 1)} ({', '.join(failed)})"
        count = f"{len(results)} rules: {len(results) - len(failed)} pass"
        print(count + fails * bool(failed), file=out)
    if request["figure"] and not drawn:
        print("no figure: no array failed, so there is no error to draw", file=sys.stderr)
    write_json(request["json"], {"rules": results})
    return 1 if failed else 0


def _results(request: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
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
