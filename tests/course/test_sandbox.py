"""Events arrive whatever else a process writes, and it ends however it can."""

import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from ffnn_jax.course import _sandbox

BEGIN = """
import json, os, subprocess, sys, time
from _sandbox import reporter
request = json.load(sys.stdin)
report = reporter(request["descriptor"], request["token"])
report(begins="dense")
"""


def run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, rest: str, seconds: float = 60.0,
    stop: bool = False,
) -> list[dict[str, Any]]:  # fmt: skip
    """The events of a process that runs these lines after the first event."""
    (folder / "a_child.py").write_text(BEGIN + rest)
    for path in (folder, Path(_sandbox.__file__).parent):  # without the package, it starts sooner
        monkeypatch.syspath_prepend(path)
    stopped = threading.Event()
    if stop:
        stopped.set()
    return list(_sandbox.events("a_child", {"x": 1}, folder, seconds, stopped))


@pytest.mark.parametrize(
    ("rest", "ended"),
    [
        ("", "ended with exit code 0"),
        ("sys.exit(3)", "ended with exit code 3"),
        ("os.kill(os.getpid(), 11)", "ended by SIGSEGV"),
        ("while True: pass", "stopped after 5 s"),
        (
            "os.write(request['descriptor'], (request['token'] + '{\\n').encode())",
            "reported what cannot be read",
        ),
        ("os.close(request['descriptor']); time.sleep(60)", "closed the pipe of its results"),
        ("while True: os.write(request['descriptor'], bytes(1 << 16))", "flooded its results"),
    ],
)
def test_the_end_is_described(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rest: str, ended: str
):
    before = psutil.Process().children()
    seconds = 5.0 if ended.startswith("stopped") else 60.0
    assert run(tmp_path, monkeypatch, rest, seconds) == [{"begins": "dense"}, {"ended": ended}]
    assert psutil.Process().children() == before


def test_prints_and_forged_lines_are_no_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    forged = """
print("x" * 1_000_000)
os.write(request["descriptor"], b'{"chapter": "dense", "points": 1.0}\\nhalf a line')
report(chapter="dense", points=0.0)
"""
    first, second, _ = run(tmp_path, monkeypatch, forged)
    assert (first, second) == ({"begins": "dense"}, {"chapter": "dense", "points": 0.0})


def test_the_whole_group_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    started = "report(pid=subprocess.Popen(['sleep', '60']).pid)"
    pid = run(tmp_path, monkeypatch, started)[1]["pid"]
    for _ in range(50):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie":
            return
        time.sleep(0.1)
    raise AssertionError("sleep still runs")


def test_an_environment_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("A_TOKEN", "secret")
    _, shown, _ = run(tmp_path, monkeypatch, "report(environment=dict(os.environ))")
    assert "A_TOKEN" not in shown["environment"]
    assert shown["environment"]["HOME"] == str(tmp_path)


def test_stopping_does_not_wait_for_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    begin = time.monotonic()
    run(tmp_path, monkeypatch, "time.sleep(60)", stop=True)
    assert time.monotonic() - begin < 30.0
