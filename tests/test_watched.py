"""A watched process is the command, and ends with the one that watches it."""

import subprocess
import sys
import time

import pytest

PROGRAM = """
import threading, time
from ffnn_jax import _watched
threading.Thread(target=_watched._end_with_parent, daemon=True).start()
print("started", flush=True)
time.sleep(60)
"""


def test_it_ends_when_its_standard_input_does():
    command = [sys.executable, "-c", PROGRAM]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as watched:
        assert watched.stdin is not None
        assert watched.stdout is not None
        assert watched.stdout.readline() == "started\n"
        time.sleep(0.3)
        assert watched.poll() is None
        watched.stdin.close()
        assert watched.wait(timeout=20) == 1


@pytest.mark.parametrize(
    ("words", "code", "errors"),
    [
        (["--version"], 0, ""),
        (["train", "--momentum", "2"], 2, "momentum must be"),
        (["no-such-command"], 2, "no-such-command"),
    ],
)
def test_it_is_the_command(words: list[str], code: int, errors: str, tmp_path):
    command = [sys.executable, "-m", "ffnn_jax._watched", str(tmp_path / "log"), *words]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as ran:
        assert ran.stderr is not None
        assert (ran.wait(timeout=60), errors in ran.stderr.read()) == (code, True)
